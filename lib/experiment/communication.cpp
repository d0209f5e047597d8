#include "experiment/communication.h"

#include <array>
#include <string_view>

#include "train/method.h"

namespace localbatch {

namespace {

template <Payload kPayload>
ParameterFormat rounded(Options& /*options*/) {
  return {.payload = kPayload};
}

ParameterFormat top_k(Options& options) {
  return {.share = options.number(
              "share", {.fallback = 0.01,
                        .min = 1e-6,
                        .max = 0.5,
                        .meaning = "of the numbers of a worker's move, those that travel; each "
                                   "takes 8 bytes, on its way from every rank to every other"})};
}

constexpr std::string_view kErrorFeedback =
    "error feedback: Seide et al. 2014, Karimireddy et al. 2019, as recalled";
constexpr std::string_view kBlocks =
    "blocks of the Open Compute Project's Microscaling Formats v1.0, as recalled; error feedback: "
    "Seide et al. 2014, Karimireddy et al. 2019, as recalled";

constexpr std::array<PartRow<ParameterFormat>, 5> kFormats{{
    {.name = "f32", .summary = "the parameters as they are", .make = rounded<Payload::kFloat32>},
    {.name = "bf16",
     .summary = "moves since the last synchronization, rounded to half of the bytes",
     .make = rounded<Payload::kBfloat16>,
     .formula = "d = x^m - x + e, sent = the nearest bfloat16 numbers to d, e = d - sent, x = x + "
                "mean of what was sent",
     .source = kErrorFeedback},
    {.name = "int8",
     .summary = "moves in a quarter of the bytes: integers of 8 bits with a scale for every 32",
     .make = rounded<Payload::kInt8>,
     .formula = "as bf16, with sent = scale times the nearest integers, the scale being the least "
                "power of two by which all 32 are at most 127",
     .source = kBlocks},
    {.name = "int4",
     .summary = "moves in an eighth of the bytes: integers of 4 bits with a scale for every 32",
     .make = rounded<Payload::kInt4>,
     .formula = "as int8, with integers of at most 7",
     .source = kBlocks},
    {.name = "top_k",
     .summary = "the largest numbers of moves alone, with their places",
     .make = top_k,
     .formula = "d = x^m - x + e, sent = the share of d's numbers that are largest in magnitude, "
                "e = d - sent, x = x + mean of what was sent",
     .source = "Stich, Cordonnier, Jaggi 2018 (arXiv 1809.07599), as recalled, here with moves of "
               "Local SGD in place of gradients"},
}};

void read_format(Options& experiment, LocalSgd& method) {
  Options communication = experiment.part("communication", "what travels at a synchronization");
  method.format = make_part(parameter_format_table(), communication, "f32",
                            "what the workers' parameters travel as; where that takes something "
                            "away from a move, it is sent along with the next one (see "
                            "communication.parameters)",
                            "parameters");
  if (method.statistics.chunks == Chunks::kDelta && !method.format.sends_all())
    communication.fail("parameters",
                       "found 'top_k' with gradient_statistics: {chunks: delta}, which compares "
                       "whole moves of workers; allowed is one of both");
  // The mean of moves in 4 bits is not the mean of the moves: where workers differ little, most of
  // their distance from it is rounding.
  if (method.statistics.chunks == Chunks::kDelta && method.format.payload == Payload::kInt4)
    communication.fail("parameters",
                       "found 'int4' with gradient_statistics: {chunks: delta}, whose variance "
                       "would be that of the rounding; allowed there is f32 | bf16 | int8");
}

StreamOptions read_stream(Options& options) {
  StreamOptions stream;
  stream.fragments = options.integer<int>(
      "fragments", {.fallback = stream.fragments,
                    .min = 1,
                    .max = 1024,
                    .meaning = "P; fragment p = 1 .. P leaves after ceil(p (H - delay)/P) local "
                               "steps of a round"});
  stream.delay = options.integer<int>(
      "delay", {.fallback = stream.delay,
                .min = 0,
                .max = 65536,
                .meaning = "local steps from leaving to arrival, at most H - 1"});
  stream.mix = options.number(
      "mix", {.fallback = stream.mix,
              .min = 0,
              .max = 1,
              .meaning = "x = (1 - mix) x + mix y, where a fragment x of a worker meets y, which "
                         "arrives"});
  stream.keeps_late_steps = options.flag(
      "keep_late_steps",
      {.fallback = stream.keeps_late_steps,
       .meaning = "y is the global fragment and what the worker has moved since x left (delayed "
                  "averaging), not the global one alone (Streaming DiLoCo)"});
  return stream;
}

void check_stream(const Options& experiment, const LocalSgd& method) {
  if (method.statistics.chunks == Chunks::kDelta)
    experiment.fail("streaming",
                    "found with gradient_statistics: {chunks: delta}, which compares moves of "
                    "workers that begin a round at one point; allowed is one of both");
  if (!method.format.sends_all())
    experiment.fail("streaming",
                    "found with communication: {parameters: top_k}, whose messages do not travel "
                    "beside local steps; allowed here is f32 | bf16 | int8 | int4");
}

/// Of a part that compares a worker with the point at which a round began.
void check_moves(const Options& experiment, std::string_view part, const LocalSgd& method) {
  if (method.statistics.chunks == Chunks::kDelta)
    experiment.fail(part,
                    "found with gradient_statistics: {chunks: delta}, for which moves are sums of "
                    "gradients and count alike; allowed is one of both");
  if (method.stream)
    experiment.fail(part,
                    "found with streaming, where no worker begins a round at the global "
                    "parameters; allowed is one of both");
}

}  // namespace

std::span<const PartRow<ParameterFormat>> parameter_format_table() { return kFormats; }

void read_communication(Options& experiment, LocalSgd& method) {
  read_format(experiment, method);
  if (auto part = experiment.optional_part("streaming",
                                           "parameters travel while local steps go on, in "
                                           "fragments, in place of all at their end")) {
    method.stream = read_stream(*part);
    check_stream(experiment, method);
  }
  if (auto part = experiment.optional_part(
          "proximal_term",
          "holds each worker near the global parameters x_k that a round began with: after a local "
          "step x = x_k + (x - x_k)/(1 + lr mu), the proximal step of mu/2 |x - x_k|^2 (FedProx's "
          "term, Li et al. 2020, as recalled; beside the optimizer, so that no momentum adds to "
          "it)")) {
    method.proximal =
        part->number("mu", {.min = 0, .max = 1e6, .meaning = "factor of the term; 0: none"});
    if (method.proximal > 0) check_moves(experiment, "proximal_term", method);
  }
  if (auto part = experiment.optional_part(
          "worker_weights",
          "the mean of the workers' parameters is x_k + sum of w^m (x^m - x_k) with w = "
          "softmax(-|x^m - x_k|/temperature), which counts workers that have gone far less "
          "(EDiT, Cheng et al. 2024, arXiv 2412.07210, as read in public code: at the end of a "
          "round, without its elimination of anomalies)")) {
    const double temperature = part->number(
        "temperature",
        {.min = 0, .max = 1e9, .meaning = "in units of parameters (EDiT: 1); 0: all count alike"});
    if (temperature > 0) {
      method.weights_temperature = temperature;
      check_moves(experiment, "worker_weights", method);
    }
  }
}

}  // namespace localbatch
