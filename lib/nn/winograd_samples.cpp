#include "nn/winograd_samples.h"

#include <algorithm>
#include <vector>

#include "nn/elementwise.h"

namespace localbatch {

namespace {

constexpr int kWindow = 9;

/// Floats of a block of the gradient in the order of the weights.
constexpr std::size_t kPartSize =
    std::size_t{winograd::kGradientChannels} * winograd::kOutputBlock * kWindow;

std::optional<PixelNorm> pixel_norm_of(const WinogradOperator& winograd_operator) {
  const winograd::Image& src = winograd_operator.src_image();
  const double products = static_cast<double>(winograd::kPoints) *
                          winograd_operator.tiles_per_image() * src.channels *
                          winograd_operator.filters();
  return make_pixel_norm({.src = {src.channels, src.height, src.width},
                          .channels = winograd_operator.filters(),
                          .kernel = 3,
                          .stride = 1,
                          .padding = 1},
                         products);
}

}  // namespace

WinogradSamples::WinogradSamples(const WinogradOperator& winograd_operator,
                                 const TensorView& weight)
    : operator_(winograd_operator),
      weight_(weight),
      pixel_norm_(pixel_norm_of(winograd_operator)) {}

std::size_t WinogradSamples::scratch(int images) const {
  if (makes_gradients())
    return scratch_bytes<float>(winograd::kGradientBlockSize) + scratch_bytes<float>(kPartSize);
  const auto output = static_cast<std::size_t>(images) * winograd::kOutputBlock *
                      static_cast<std::size_t>(operator_.dst_image().height) *
                      static_cast<std::size_t>(operator_.dst_image().width);
  const std::size_t products =
      scratch_bytes<float>(winograd::transformed_weights_size(operator_.channels())) +
      scratch_bytes<float>(output) + scratch_bytes<float>(winograd::kProductSize);
  return std::max(products, pixel_norm_->scratch());
}

void WinogradSamples::add_gradients(const SampleSums& sums, Images images, const Points& input,
                                    const Points& diff, int first_tile, float* gradient,
                                    Thread& thread) const {
  const Thread::Frame frame(thread);
  float* const points = thread.take<float>(winograd::kGradientBlockSize);
  float* const part = thread.take<float>(kPartSize);
  for (int i = 0; i < images.count; ++i)
    for (int block = 0; block < operator_.gradient_blocks(); ++block) {
      operator_.make_part(block, input, diff, first_tile + i * operator_.tiles_per_image(), points,
                          part);
      operator_.for_each_run(block, [&](std::size_t at, std::size_t in_part, std::size_t size) {
        const float* const run = part + in_part;
        add_to_sums(sums, images.first + i, weight_.offset + at, {run, size});
        if (gradient != nullptr) add(run, size, gradient + at);
      });
    }
}

template <class T>
void WinogradSamples::add_slice(const SampleSums& sums, Images images, const T* src,
                                const T* diff_dst, const Points& input, const Points& diff,
                                int first_tile, float* gradient, Thread& thread) const {
  if (makes_gradients()) {
    add_gradients(sums, images, input, diff, first_tile, gradient, thread);
  } else if (wants_squared_norms(sums)) {
    const std::size_t src_size = static_cast<std::size_t>(operator_.channels()) * pixels();
    const std::size_t dst_size = static_cast<std::size_t>(operator_.filters()) * pixels();
    for (int i = 0; i < images.count; ++i) {
      const auto image = static_cast<std::size_t>(i);
      add_to_squared_norm(
          sums, images.first + i,
          pixel_norm_->squared_norm(src + image * src_size, diff_dst + image * dst_size, thread));
    }
  }
}

const float* WinogradSamples::take_direction(const SampleSums& sums, int block,
                                             Thread& thread) const {
  const Thread::Timed timed(thread, Phase::kWeights);
  float* const transformed =
      thread.take<float>(winograd::transformed_weights_size(operator_.channels()));
  winograd::transform_weights(sums.direction.data() + weight_.offset, operator_.channels(),
                              operator_.filters(), winograd::Direction::kForward,
                              block * winograd::kOutputBlock, transformed);
  return transformed;
}

Region WinogradSamples::region(int block, Images images) const {
  const int first = block * winograd::kOutputBlock;
  return {.images = images,
          .first_channel = first,
          .channels = std::min(winograd::kOutputBlock, operator_.filters() - first)};
}

template <class T>
void WinogradSamples::add_products(const float* direction, int block, const Points& input,
                                   int first_tile, const T* diff, std::size_t diff_step,
                                   std::span<double> products, Thread& thread) const {
  const Thread::Frame frame(thread);
  winograd::Image output = operator_.dst_image();
  output.channels = region(block, {}).channels;
  const std::size_t size = static_cast<std::size_t>(output.channels) * pixels();
  float* const convolved = thread.take<float>(products.size() * size);
  float* const scratch = thread.take<float>(winograd::kProductSize);
  winograd::multiply(input, operator_.channels(), direction, 0, output, first_tile,
                     static_cast<int>(products.size()), false, convolved, scratch);
  for (std::size_t i = 0; i < products.size(); ++i)
    products[i] += sum_of_products(diff + i * diff_step, convolved + i * size, size);
}

template <class T>
void WinogradSamples::add_inner_products(const SampleSums& sums, Images images, const T* diff_dst,
                                         const Points& input, Thread& thread) const {
  if (!makes_products(sums)) return;
  const std::size_t step = static_cast<std::size_t>(operator_.filters()) * pixels();
  for (int block = 0; block < output_blocks(); ++block) {
    const Thread::Frame frame(thread);
    const auto first_channel = static_cast<std::size_t>(region(block, images).first_channel);
    add_products(take_direction(sums, block, thread), block, input, 0,
                 diff_dst + first_channel * pixels(), step,
                 sums.inner_products.subspan(static_cast<std::size_t>(images.first),
                                             static_cast<std::size_t>(images.count)),
                 thread);
  }
}

template <class T>
void WinogradSamples::add_products_of_block(const SampleSums& sums, int block, Images stretch,
                                            int per_slice, const Destination<T>& dst,
                                            const Points& input, std::span<double> products,
                                            Thread& thread) const {
  const Thread::Frame frame(thread);
  const float* const direction = take_direction(sums, block, thread);
  for (int done = 0; done < stretch.count; done += per_slice) {
    const Thread::Frame slice_frame(thread);
    const int count = std::min(per_slice, stretch.count - done);
    const Region part = region(block, {stretch.first + done, count});
    const T* const diff = dst.channels_of_diff(part, thread);
    add_products(direction, block, input, done * operator_.tiles_per_image(), diff,
                 static_cast<std::size_t>(part.channels) * pixels(),
                 products.subspan(static_cast<std::size_t>(done), static_cast<std::size_t>(count)),
                 thread);
  }
}

template <class T>
void WinogradSamples::add_inner_products(Team& team, const SampleSums& sums, Images stretch,
                                         int per_slice, const Destination<T>& dst,
                                         const Points& input) const {
  if (!makes_products(sums)) return;
  const auto count = static_cast<std::size_t>(stretch.count);
  std::vector<double> products(static_cast<std::size_t>(output_blocks()) * count);
  const auto of_block = [&](int block) {
    return std::span(products).subspan(static_cast<std::size_t>(block) * count, count);
  };
  team.for_each(output_blocks(), Phase::kBackwardWeights, [&](int block, Thread& thread) {
    add_products_of_block(sums, block, stretch, per_slice, dst, input, of_block(block), thread);
  });
  for (int block = 0; block < output_blocks(); ++block)
    for (std::size_t i = 0; i < count; ++i)
      add_to_inner_product(sums, stretch.first + static_cast<int>(i), of_block(block)[i]);
}

template void WinogradSamples::add_slice(const SampleSums&, Images, const float*, const float*,
                                         const Points&, const Points&, int, float*, Thread&) const;
template void WinogradSamples::add_inner_products(const SampleSums&, Images, const float*,
                                                  const Points&, Thread&) const;
template void WinogradSamples::add_inner_products(Team&, const SampleSums&, Images, int,
                                                  const Destination<float>&, const Points&) const;

template void WinogradSamples::add_slice(const SampleSums&, Images, const Bfloat16*,
                                         const Bfloat16*, const Points&, const Points&, int, float*,
                                         Thread&) const;
template void WinogradSamples::add_inner_products(const SampleSums&, Images, const Bfloat16*,
                                                  const Points&, Thread&) const;
template void WinogradSamples::add_inner_products(Team&, const SampleSums&, Images, int,
                                                  const Destination<Bfloat16>&,
                                                  const Points&) const;

}  // namespace localbatch
