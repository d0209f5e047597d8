#include "nn/pixel_norm.h"

#include <algorithm>

#include "core/vector.h"

namespace localbatch {

namespace {

using Index = std::ptrdiff_t;

constexpr Index kBlock = kChannelBlock;

/// Positions that lie together for a channel: two registers.
constexpr Index kPanel = 2 * kBlock;

/// Rows of a Gram matrix that a kernel keeps in registers: half of them hold sums.
constexpr Index kRows = kChannelBlock == 16 ? 8 : 4;

typedef double DoubleVector __attribute__((vector_size(kChannelBlock * sizeof(double))));

constexpr Index round_up(Index count, Index unit) { return (count + unit - 1) / unit * unit; }

/// Pixels on a grid, of which some are wanted.
struct Grid {
  Index size = 0;                ///< of the image, in pixels
  Index first = 0;               ///< pixel
  Index row_step = 0, step = 1;  ///< from a wanted pixel to the next, down and right, in pixels
  Index rows = 0, columns = 0;   ///< wanted pixels
};

/// Wanted pixels to [position / kPanel][channel][position % kPanel]; positions between two rows of
/// them are zero.
template <class T>
void transpose(const T* image, Index channels, const Grid& grid, Index pitch, Index positions,
               float* panels) {
  std::fill_n(panels, round_up(positions, kPanel) * channels, 0.0F);
  for (Index c = 0; c < channels; c += kBlock, image += grid.size * kBlock)
    for (Index row = 0; row < grid.rows; ++row)
      for (Index column = 0; column < grid.columns; ++column) {
        const Index pixel = grid.first + row * grid.row_step + column * grid.step;
        const Index position = row * pitch + column;
        const Vector values = load(image + pixel * kBlock);
        float* const to = panels + (position / kPanel * channels + c) * kPanel + position % kPanel;
        for (int i = 0; i < kChannelBlock; ++i) to[i * kPanel] = values[i];
      }
}

/// Inner products of kRows positions, which begin at `left`, with those of a panel.
void multiply(const float* left, const float* panel, Index channels, float* products,
              Index stride) {
  Vector sum[kRows][2] = {};
  for (Index c = 0; c < channels; ++c, left += kPanel, panel += kPanel) {
    const Vector right[2] = {load(panel), load(panel + kBlock)};
#pragma GCC unroll 16
    for (Index row = 0; row < kRows; ++row) {
      const Vector factor = broadcast(left[row]);
      sum[row][0] += factor * right[0];
      sum[row][1] += factor * right[1];
    }
  }
#pragma GCC unroll 16
  for (Index row = 0; row < kRows; ++row, products += stride) {
    store(products, sum[row][0]);
    store(products + kBlock, sum[row][1]);
  }
}

/// The Gram matrix of all positions, on and below the diagonal.
void multiply_all(const float* panels, Index channels, Index positions, float* products,
                  Index stride) {
  const Index panel_size = channels * kPanel;
  for (Index row = 0; row < round_up(positions, kRows); row += kRows) {
    const Index own = row / kPanel;
    for (Index panel = 0; panel <= own; ++panel)
      multiply(panels + own * panel_size + row % kPanel, panels + panel * panel_size, channels,
               products + row * stride + panel * kPanel, stride);
  }
}

/// Every pair of positions once, with half the weight for a position with itself.
void keep_pairs(Index positions, float* products, Index stride) {
  for (Index row = 0; row < positions; ++row, products += stride) {
    products[row] *= 0.5F;
    std::fill(products + row + 1, products + round_up(row + 1, kBlock), 0.0F);
  }
}

}  // namespace

PixelNorm::PixelNorm(const ConvolutionShape& shape)
    : shape_(shape), dst_(shape.dst()), pitch_(dst_.width + (shape.kernel - 1) / shape.stride) {
  for (int row = 0; row < std::min(shape.stride, shape.kernel); ++row)
    for (int column = 0; column < std::min(shape.stride, shape.kernel); ++column) {
      const Polyphase phase = make_polyphase(row, column);
      if (phase.rows > 0 && phase.columns > 0) polyphases_.push_back(phase);
    }
}

PixelNorm::Polyphase PixelNorm::make_polyphase(int row, int column) const {
  const int stride = shape_.stride;
  const auto first_pixel = [&](int offset) {
    return std::max(offset - shape_.padding,
                    ((offset - shape_.padding) % stride + stride) % stride);
  };
  const auto pixels = [&](int offset, int first, int size, int outputs) {
    // The last pixel that some kernel meets, if the image goes so far.
    const int last = (outputs - 1) * stride + offset - shape_.padding +
                     (shape_.kernel - 1 - offset) / stride * stride;
    return std::max(0, (std::min(size - 1, last) - first + stride) / stride);
  };
  Polyphase phase{
      .row = row, .column = column, .first_y = first_pixel(row), .first_x = first_pixel(column)};
  phase.rows = pixels(row, phase.first_y, shape_.src.height, dst_.height);
  phase.columns = pixels(column, phase.first_x, shape_.src.width, dst_.width);
  phase.first_position = (phase.first_y + shape_.padding) / stride * pitch_ +
                         (phase.first_x + shape_.padding) / stride;
  phase.positions = (phase.rows - 1) * pitch_ + phase.columns;
  return phase;
}

double PixelNorm::multiply_adds() const {
  // Moving a value costs as much as so many of the multiplications, which go by registers.
  constexpr double kMove = 16;
  const auto matrix = [](double positions, int channels) {
    return positions * channels * (positions / 2 + kMove);
  };
  const double outputs = output_positions();
  double sum =
      matrix(outputs, shape_.channels) + outputs * outputs / 2 * shape_.kernel * shape_.kernel;
  for (const Polyphase& phase : polyphases_) sum += matrix(phase.positions, shape_.src.channels);
  return sum;
}

int PixelNorm::positions() const {
  int positions = output_positions();
  for (const Polyphase& phase : polyphases_) positions = std::max(positions, phase.positions);
  return positions;
}

std::size_t PixelNorm::panels_size() const {
  return static_cast<std::size_t>(round_up(positions(), kPanel)) *
         static_cast<std::size_t>(std::max(shape_.channels, shape_.src.channels));
}

/// A row of products begins with position 0, of which only padding may be there, and goes as far as
/// a register of output positions under the last kernel offset.
std::size_t PixelNorm::src_stride(const Polyphase& phase) const {
  const Index last_offset = Index{(shape_.kernel - 1) / shape_.stride} * (pitch_ + 1);
  return static_cast<std::size_t>(std::max(phase.first_position + round_up(phase.positions, kPanel),
                                           round_up(output_positions(), kBlock) + last_offset));
}

std::size_t PixelNorm::src_products_size(const Polyphase& phase) const {
  return static_cast<std::size_t>(round_up(phase.positions, kRows)) * src_stride(phase);
}

std::size_t PixelNorm::scratch() const {
  const auto outputs = static_cast<std::size_t>(round_up(output_positions(), kPanel));
  std::size_t src_products = 0;
  for (const Polyphase& phase : polyphases_)
    src_products = std::max(src_products, src_products_size(phase));
  return scratch_bytes<float>(panels_size()) + scratch_bytes<float>(outputs * outputs) +
         scratch_bytes<float>(src_products);
}

template <class T>
double PixelNorm::squared_norm(const T* src, const T* diff_dst, Thread& thread) const {
  const Thread::Frame frame(thread);
  float* const panels = thread.take<float>(panels_size());
  const Index outputs = output_positions(), stride = round_up(outputs, kPanel);
  float* const diff_products = thread.take<float>(static_cast<std::size_t>(stride * stride));
  const Grid diff_grid{.size = Index{dst_.height} * dst_.width,
                       .row_step = dst_.width,
                       .rows = dst_.height,
                       .columns = dst_.width};
  transpose(diff_dst, shape_.channels, diff_grid, pitch_, outputs, panels);
  multiply_all(panels, shape_.channels, outputs, diff_products, stride);
  keep_pairs(outputs, diff_products, stride);

  double sum = 0;
  for (const Polyphase& phase : polyphases_) {
    const Thread::Frame phase_frame(thread);
    const ImageShape& image = shape_.src;
    const Grid grid{.size = Index{image.height} * image.width,
                    .first = Index{phase.first_y} * image.width + phase.first_x,
                    .row_step = Index{shape_.stride} * image.width,
                    .step = shape_.stride,
                    .rows = phase.rows,
                    .columns = phase.columns};
    transpose(src, image.channels, grid, pitch_, phase.positions, panels);
    float* const src_products = thread.take<float>(src_products_size(phase));
    std::fill_n(src_products, src_products_size(phase), 0.0F);
    multiply_all(panels, image.channels, phase.positions, src_products + phase.first_position,
                 static_cast<Index>(src_stride(phase)));
    sum += add_up(phase, diff_products, src_products);
  }
  return 2 * sum;
}

/// The sum over kernel offsets of this phase and over pairs of output pixels.
double PixelNorm::add_up(const Polyphase& phase, const float* diff_products,
                         const float* src_products) const {
  const Index diff_stride = round_up(output_positions(), kPanel);
  const auto stride = static_cast<Index>(src_stride(phase));
  DoubleVector sum{};
  for (int y = 0; y < dst_.height; ++y)
    for (int x = 0; x < dst_.width; ++x) {
      const Index position = Index{y} * pitch_ + x;
      const float* const diff = diff_products + position * diff_stride;
      for (int row = phase.row; row < shape_.kernel; row += shape_.stride) {
        Vector of_row{};
        for (int column = phase.column; column < shape_.kernel; column += shape_.stride) {
          const Index offset = Index{row / shape_.stride} * pitch_ + column / shape_.stride;
          const Index met = position + offset - phase.first_position;
          if (met < 0 || met >= phase.positions) continue;
          const float* const products = src_products + met * stride + offset;
          for (Index q = 0; q <= position; q += kBlock)
            of_row += load(diff + q) * load(products + q);
        }
        sum += __builtin_convertvector(of_row, DoubleVector);
      }
    }
  double total = 0;
  for (int i = 0; i < kChannelBlock; ++i) total += sum[i];
  return total;
}

template double PixelNorm::squared_norm(const float*, const float*, Thread&) const;
template double PixelNorm::squared_norm(const Bfloat16*, const Bfloat16*, Thread&) const;

}  // namespace localbatch
