#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace localbatch {

/// Visits the state of objects, to write it or to read it back: one function of an object serves
/// both directions, so that nothing can be written and then forgotten when it is read.
class StateVisitor {
 public:
  virtual ~StateVisitor() = default;

  virtual bool reads() const = 0;

  /// Visits the numbers of an array, whose size is known to both sides.
  template <class T, std::size_t kExtent>
  requires std::is_arithmetic_v<T> || std::is_enum_v<T>
  void visit(std::string_view name, std::span<T, kExtent> values) {
    visit_bytes(name, std::as_writable_bytes(values));
  }

  /// Visits one number.
  template <class T>
  requires std::is_arithmetic_v<T> || std::is_enum_v<T>
  void visit(std::string_view name, T& value) { visit(name, std::span<T>(&value, 1)); }

  /// Visits one byte; throws an InputError when it reads neither 0 nor 1.
  void visit(std::string_view name, bool& value);

 private:
  virtual void visit_bytes(std::string_view name, std::span<std::byte> bytes) = 0;
};

/// Appends what it visits to an array of bytes.
class StateWriter final : public StateVisitor {
 public:
  bool reads() const override { return false; }
  std::vector<std::byte> take() { return std::move(written_); }

 private:
  void visit_bytes(std::string_view name, std::span<std::byte> bytes) override;

  std::vector<std::byte> written_;
};

/// Counts the bytes that a StateWriter would write.
class StateSize final : public StateVisitor {
 public:
  bool reads() const override { return false; }
  std::size_t bytes() const { return bytes_; }

 private:
  void visit_bytes(std::string_view name, std::span<std::byte> bytes) override;

  std::size_t bytes_ = 0;
};

/// Reads back what a StateWriter has written, in the same order. Throws an InputError when a name
/// or a size is another one.
class StateReader final : public StateVisitor {
 public:
  /// The bytes must stay where they are.
  explicit StateReader(std::span<const std::byte> bytes) : rest_(bytes) {}

  bool reads() const override { return true; }

  /// Throws an InputError when something is left over.
  void finish() const;

 private:
  void visit_bytes(std::string_view name, std::span<std::byte> bytes) override;
  std::span<const std::byte> next(std::size_t size);

  std::span<const std::byte> rest_;
};

}  // namespace localbatch
