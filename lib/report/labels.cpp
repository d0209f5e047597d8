#include "report/labels.h"

#include <fmt/core.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <set>
#include <span>

#include "batching/batch_size_controller.h"
#include "optim/sync_interval.h"

namespace localbatch {

namespace {

constexpr std::string_view kSyncInterval = "sync_interval";

bool is_of_sync_interval(const std::string& key) {
  return key == kSyncInterval || key.starts_with(std::string(kSyncInterval) + ".");
}

/// "gradient_noise_scale" as words.
std::string words(std::string name) {
  std::ranges::replace(name, '_', ' ');
  return name;
}

/// How a person calls a key: "eta", and "model" for "model.name".
std::string short_name(std::string key) {
  if (key.ends_with(".name")) key.resize(key.size() - 5);
  return words(key.substr(key.rfind('.') + 1));
}

/// What the part that `key` names is called in tables; `unknown` where the settings lack the key.
template <class Part>
std::string part_label(std::span<const PartRow<Part>> table, const std::string& key,
                       const Settings& settings, std::string_view unknown) {
  const std::string name = settings.value(key);
  if (name.empty()) return std::string(unknown);
  const auto row = std::ranges::find(table, name, &PartRow<Part>::name);
  return row != table.end() && row->label != nullptr ? row->label(settings.entries()) : words(name);
}

template <class Keep>
Settings kept(const Settings& settings, const Keep& keep) {
  std::vector<std::pair<std::string, std::string>> entries;
  for (const auto& entry : settings.entries())
    if (keep(entry.first)) entries.push_back(entry);
  return Settings(std::move(entries));
}

bool is_digit(char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; }

/// Takes the digits at the beginning of a text, without leading zeros.
std::string_view take_digits(std::string_view& text) {
  std::size_t size = 0;
  while (size < text.size() && is_digit(text[size])) ++size;
  std::string_view digits = text.substr(0, size);
  text.remove_prefix(size);
  while (digits.size() > 1 && digits.front() == '0') digits.remove_prefix(1);
  return digits;
}

}  // namespace

std::string schedule_label(const Settings& settings) {
  return part_label(batch_size_controller_table(), "batch_size_controller.name", settings,
                    "unknown");
}

std::string sync_interval_label(const Settings& settings) {
  return part_label(sync_interval_table(), "sync_interval.name", settings,
                    "H = " + settings.value("sync_interval.H"));
}

std::string coordinates_label(const std::vector<SweepCell::Coordinate>& coordinates,
                              const Settings& settings) {
  std::string label;
  for (const auto& [axis, value] : coordinates) {
    if (axis == "seed" || is_of_sync_interval(axis)) continue;
    if (!label.empty()) label += ", ";
    label += settings.has_part(axis) ? short_name(axis) + " " + value : value;
  }
  return label;
}

namespace {

std::string value_or_unknown(const Settings& settings, const std::string& key) {
  const std::string* const value = settings.find(key);
  if (value != nullptr) return *value;
  return has_no_default(key) ? "none" : "unknown";
}

/// How many different settings there are for somebody who sees these keys only.
std::size_t count_of_different(const std::vector<Settings>& all,
                               const std::vector<std::string>& keys) {
  std::set<std::vector<std::string>> different;
  for (const Settings& settings : all) {
    std::vector<std::string> values;
    values.reserve(keys.size());
    for (const std::string& key : keys) values.push_back(value_or_unknown(settings, key));
    different.insert(std::move(values));
  }
  return different.size();
}

/// As few keys as tell apart what all that differ tell apart: each time the one that does most.
std::vector<std::string> telling_keys(const std::vector<Settings>& all) {
  const std::vector<std::string> differing = differing_keys(all);
  const std::size_t wanted = count_of_different(all, differing);
  std::vector<std::string> chosen;
  std::size_t reached = 1;
  while (reached < wanted) {
    std::string best;
    for (const std::string& key : differing) {
      std::vector<std::string> with_key = chosen;
      with_key.push_back(key);
      const std::size_t different = count_of_different(all, with_key);
      if (different <= reached) continue;
      best = key;
      reached = different;
    }
    chosen.push_back(best);
  }
  std::ranges::sort(chosen, {}, [&differing](const std::string& key) {
    return std::ranges::find(differing, key) - differing.begin();
  });
  return chosen;
}

/// What keys are called behind a label: by their last word, or in full where the label or another
/// key has the same, as both optimizers have a momentum.
std::vector<std::string> names_behind(const std::string& label,
                                      const std::vector<std::string>& keys) {
  std::vector<std::string> names;
  for (const std::string& key : keys) {
    const std::string name = short_name(key);
    const bool in_label = (", " + label).find(", " + name + " ") != std::string::npos;
    names.push_back(in_label || std::ranges::count(keys, name, short_name) > 1 ? key : name);
  }
  return names;
}

}  // namespace

std::vector<std::string> disambiguated(const std::vector<std::string>& labels,
                                       const std::vector<Settings>& settings) {
  std::map<std::string, std::vector<Settings>> by_label;
  for (std::size_t i = 0; i < labels.size(); ++i) by_label[labels[i]].push_back(settings[i]);
  std::map<std::string, std::vector<std::string>> keys, names;
  for (const auto& [label, all] : by_label) {
    keys[label] = telling_keys(all);
    names[label] = names_behind(label, keys[label]);
  }
  std::vector<std::string> different;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    std::string label = labels[i];
    for (std::size_t k = 0; k < keys[labels[i]].size(); ++k)
      label += fmt::format(", {} {}", names[labels[i]][k],
                           value_or_unknown(settings[i], keys[labels[i]][k]));
    different.push_back(label);
  }
  return different;
}

Settings settings_of_row(const Settings& settings) {
  return kept(settings, [](const std::string& key) {
    return key != "seed" && !is_of_sync_interval(key) && !is_place(key);
  });
}

Settings settings_of_sync_interval(const Settings& settings) {
  return kept(settings, is_of_sync_interval);
}

bool comes_before(const std::string& a, const std::string& b) {
  std::string_view left = a, right = b;
  while (!left.empty() && !right.empty()) {
    if (is_digit(left.front()) && is_digit(right.front())) {
      const std::string_view x = take_digits(left), y = take_digits(right);
      if (x.size() != y.size()) return x.size() < y.size();
      if (x != y) return x < y;
      continue;
    }
    if (left.front() != right.front()) return left.front() < right.front();
    left.remove_prefix(1);
    right.remove_prefix(1);
  }
  return left.empty() && (!right.empty() || a < b);
}

}  // namespace localbatch
