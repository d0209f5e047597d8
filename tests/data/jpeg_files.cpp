#include "data/jpeg_files.h"

// clang-format off
#include <cstdio>
#include <jpeglib.h>
// clang-format on

#include <cmath>
#include <cstdlib>

namespace localbatch {

RgbImage smooth_image(int width, int height, int seed) {
  RgbImage image{.width = width, .height = height, .pixels = {}};
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x)
      for (int c = 0; c < 3; ++c) {
        const double u = 0.02 * (1 + seed % 5) * x + 0.8 * c, v = 0.03 * (1 + seed % 3) * y + seed;
        image.pixels.push_back(static_cast<std::uint8_t>(
            std::lround(128 + 70 * std::sin(u + 0.3 * v) + 50 * std::cos(v - 0.01 * x))));
      }
  return image;
}

std::vector<unsigned char> exif_segment(int orientation, bool big_endian) {
  std::vector<unsigned char> bytes{'E', 'x', 'i', 'f', 0, 0};
  const auto add = [&](int size, int value) {
    for (int i = 0; i < size; ++i) {
      const int shift = 8 * (big_endian ? size - 1 - i : i);
      bytes.push_back(static_cast<unsigned char>((value >> shift) & 255));
    }
  };
  bytes.push_back(big_endian ? 'M' : 'I');
  bytes.push_back(bytes.back());
  add(2, 42);
  add(4, 8);       // where the directory is
  add(2, 2);       // its entries
  add(2, 0x010F);  // a maker, which has no name
  add(2, 2), add(4, 1), add(4, 0);
  add(2, 0x0112);
  add(2, 3), add(4, 1), add(2, orientation), add(2, 0);
  add(4, 0);
  return bytes;
}

std::vector<unsigned char> jpeg_bytes(const RgbImage& image, JpegKind kind, int orientation,
                                      int quality) {
  jpeg_compress_struct encoder{};
  jpeg_error_mgr errors{};
  encoder.err = jpeg_std_error(&errors);
  jpeg_create_compress(&encoder);
  unsigned char* memory = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&encoder, &memory, &size);
  encoder.image_width = static_cast<JDIMENSION>(image.width);
  encoder.image_height = static_cast<JDIMENSION>(image.height);
  const bool has_inks = kind == JpegKind::kCmyk;
  encoder.input_components = has_inks ? 4 : 3;
  encoder.in_color_space = has_inks ? JCS_CMYK : JCS_RGB;
  jpeg_set_defaults(&encoder);
  if (kind == JpegKind::kGrey) jpeg_set_colorspace(&encoder, JCS_GRAYSCALE);
  if (has_inks) jpeg_set_colorspace(&encoder, JCS_YCCK);
  if (kind == JpegKind::kProgressive) jpeg_simple_progression(&encoder);
  jpeg_set_quality(&encoder, quality, TRUE);
  jpeg_start_compress(&encoder, TRUE);
  if (orientation != 0) {
    const std::vector<unsigned char> exif = exif_segment(orientation, orientation % 2 == 0);
    jpeg_write_marker(&encoder, JPEG_APP0 + 1, exif.data(), static_cast<unsigned>(exif.size()));
  }
  std::vector<unsigned char> row;
  for (int y = 0; y < image.height; ++y) {
    row.clear();
    for (int x = 0; x < image.width; ++x) {
      row.insert(row.end(), image.pixel(y, x), image.pixel(y, x) + 3);
      if (has_inks) row.push_back(255);
    }
    JSAMPROW pointer = row.data();
    jpeg_write_scanlines(&encoder, &pointer, 1);
  }
  jpeg_finish_compress(&encoder);
  jpeg_destroy_compress(&encoder);
  std::vector<unsigned char> bytes(memory, memory + size);
  std::free(memory);
  return bytes;
}

}  // namespace localbatch
