#include "data/jpeg.h"

#include <algorithm>
#include <array>
#include <csetjmp>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string_view>
#include <vector>

#include "core/error.h"

// jpeglib.h does not include what declares FILE, so it has to stand behind <cstdio>.
// clang-format off
#include <jpeglib.h>
#include <jerror.h>
// clang-format on

namespace localbatch {

struct JpegReader::State {
  jpeg_decompress_struct decoder{};
  jpeg_error_mgr errors{};
  std::jmp_buf way_out{};
  std::array<char, JMSG_LENGTH_MAX> message{};

  State() = default;
  ~State() { jpeg_destroy_decompress(&decoder); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
};

namespace {

constexpr std::uint64_t kMaxPixels = std::uint64_t{1} << 27;

template <class State>
[[noreturn]] void give_up(j_common_ptr decoder) {
  auto& state = *static_cast<State*>(decoder->client_data);
  decoder->err->format_message(decoder, state.message.data());
  std::longjmp(state.way_out, 1);
}

template <class State>
void give_up_on_warning(j_common_ptr decoder, int level) {
  constexpr int kWarning = -1;
  if (level == kWarning) give_up<State>(decoder);
}

/// Calls `work`, which libjpeg may leave by a jump: nothing in it may have a destructor.
template <class State, class Work>
void guarded(State& state, const Work& work) {
  if (setjmp(state.way_out) == 0) {
    work();
    return;
  }
  if (state.errors.msg_code == JERR_OUT_OF_MEMORY) fail_system("libjpeg: {}", state.message.data());
  throw DamagedImage(state.message.data());
}

/// Turns inks (0: all of it, 255: none of it, as Adobe writes them) into light, without colour
/// profiles.
void inks_to_rgb(const std::vector<std::uint8_t>& inks, bool inverted, RgbImage& image) {
  const int flip = inverted ? 0 : 255;
  std::uint8_t* to = image.pixels.data();
  for (std::size_t i = 0; i + 3 < inks.size(); i += 4)
    for (std::size_t c = 0; c < 3; ++c)
      *to++ = static_cast<std::uint8_t>(((inks[i + c] ^ flip) * (inks[i + 3] ^ flip) + 127) / 255);
}

}  // namespace

JpegReader::JpegReader(std::span<const unsigned char> bytes) : state_(std::make_unique<State>()) {
  if (bytes.empty()) throw DamagedImage("the file is empty");
  State& state = *state_;
  jpeg_decompress_struct& decoder = state.decoder;
  decoder.err = jpeg_std_error(&state.errors);
  decoder.client_data = &state;
  state.errors.error_exit = give_up<State>;
  state.errors.emit_message = give_up_on_warning<State>;
  guarded(state, [&] {
    jpeg_create_decompress(&decoder);
    jpeg_mem_src(&decoder, bytes.data(), bytes.size());
    jpeg_save_markers(&decoder, JPEG_APP0 + 1, 0xFFFF);
    jpeg_read_header(&decoder, TRUE);
  });
  if (std::uint64_t{decoder.image_width} * decoder.image_height > kMaxPixels)
    throw DamagedImage(fmt::format("{} x {} pixels, allowed are at most {}", decoder.image_width,
                                   decoder.image_height, kMaxPixels));
}

JpegReader::~JpegReader() = default;

int JpegReader::width() const { return static_cast<int>(state_->decoder.image_width); }
int JpegReader::height() const { return static_cast<int>(state_->decoder.image_height); }

int JpegReader::orientation() const {
  for (const jpeg_marker_struct* marker = state_->decoder.marker_list; marker != nullptr;
       marker = marker->next) {
    const int orientation = read_orientation({marker->data, marker->data_length});
    if (orientation != kUpright) return orientation;
  }
  return kUpright;
}

RgbImage JpegReader::decode(int reduction) {
  jpeg_decompress_struct& decoder = state_->decoder;
  const bool has_inks =
      decoder.jpeg_color_space == JCS_CMYK || decoder.jpeg_color_space == JCS_YCCK;
  guarded(*state_, [&] {
    decoder.out_color_space = has_inks ? JCS_CMYK : JCS_RGB;
    decoder.scale_num = 1;
    decoder.scale_denom = static_cast<unsigned>(reduction);
    decoder.dct_method = JDCT_ISLOW;
    jpeg_start_decompress(&decoder);
  });
  RgbImage image{.width = static_cast<int>(decoder.output_width),
                 .height = static_cast<int>(decoder.output_height),
                 .pixels = {}};
  const std::size_t count = std::size_t{decoder.output_width} * decoder.output_height;
  image.pixels.resize(3 * count);
  std::vector<std::uint8_t> inks(has_inks ? 4 * count : 0);
  std::uint8_t* const first = has_inks ? inks.data() : image.pixels.data();
  const std::size_t row_size =
      std::size_t{decoder.output_width} * static_cast<std::size_t>(decoder.output_components);
  guarded(*state_, [&] {
    while (decoder.output_scanline < decoder.output_height) {
      JSAMPROW row = first + decoder.output_scanline * row_size;
      jpeg_read_scanlines(&decoder, &row, 1);
    }
    jpeg_finish_decompress(&decoder);
  });
  if (has_inks) inks_to_rgb(inks, decoder.saw_Adobe_marker != 0, image);
  return image;
}

namespace {

/// The TIFF structure inside Exif data: numbers of either byte order at offsets from its beginning.
/// Bytes beyond the end read as 0.
struct Tiff {
  std::span<const unsigned char> bytes;
  bool big_endian = false;

  std::uint32_t byte(std::size_t offset) const {
    return offset < bytes.size() ? bytes[offset] : 0U;
  }
  std::uint32_t two_bytes(std::size_t offset) const {
    const std::uint32_t a = byte(offset), b = byte(offset + 1);
    return big_endian ? (a << 8) | b : (b << 8) | a;
  }
  std::uint32_t four_bytes(std::size_t offset) const {
    const std::uint32_t a = two_bytes(offset), b = two_bytes(offset + 2);
    return big_endian ? (a << 16) | b : (b << 16) | a;
  }
};

}  // namespace

int read_orientation(std::span<const unsigned char> app1) {
  constexpr std::string_view kExif("Exif\0\0", 6), kBig("MM"), kLittle("II");
  constexpr std::size_t kEntry = 12;
  constexpr std::uint32_t kMagic = 42, kOrientation = 0x0112, kShort = 3;
  if (app1.size() < kExif.size() || !std::ranges::equal(app1.first(kExif.size()), kExif))
    return kUpright;
  Tiff tiff{.bytes = app1.subspan(kExif.size())};
  if (tiff.bytes.size() < 8) return kUpright;
  tiff.big_endian = std::ranges::equal(tiff.bytes.first(2), kBig);
  if (!tiff.big_endian && !std::ranges::equal(tiff.bytes.first(2), kLittle)) return kUpright;
  if (tiff.two_bytes(2) != kMagic) return kUpright;
  const std::size_t directory = tiff.four_bytes(4);
  const std::size_t entries = tiff.two_bytes(directory);
  for (std::size_t i = 0; i < entries; ++i) {
    const std::size_t entry = directory + 2 + i * kEntry;
    if (tiff.two_bytes(entry) != kOrientation || tiff.two_bytes(entry + 2) != kShort) continue;
    const auto orientation = static_cast<int>(tiff.two_bytes(entry + 8));
    return 1 <= orientation && orientation <= 8 ? orientation : kUpright;
  }
  return kUpright;
}

RgbImage upright(RgbImage stored, int orientation) {
  if (orientation == kUpright) return stored;
  const bool swapped = swaps_sides(orientation);
  // Where the first row and the first column of the stored image belong; see tag 0x0112.
  const bool from_bottom =
      orientation == 3 || orientation == 4 || orientation == 7 || orientation == 8;
  const bool from_right =
      orientation == 2 || orientation == 3 || orientation == 6 || orientation == 7;
  RgbImage image{.width = swapped ? stored.height : stored.width,
                 .height = swapped ? stored.width : stored.height,
                 .pixels = std::vector<std::uint8_t>(stored.pixels.size())};
  std::uint8_t* to = image.pixels.data();
  for (int y = 0; y < image.height; ++y)
    for (int x = 0; x < image.width; ++x, to += 3) {
      const int row = from_bottom ? image.height - 1 - y : y;
      const int column = from_right ? image.width - 1 - x : x;
      std::copy_n(swapped ? stored.pixel(column, row) : stored.pixel(row, column), 3, to);
    }
  return image;
}

}  // namespace localbatch
