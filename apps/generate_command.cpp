#include "command_line.h"
#include "commands.h"
#include "core/error.h"
#include "report/generate_text.h"

namespace localbatch {

int generate_command(std::span<const std::string> arguments) {
  constexpr int kMostTokens = 1'000'000;
  constexpr double kHottest = 100;
  std::string run;
  TextRequest request;
  std::int64_t seed = 1;
  CommandLine line("generate");
  line.positional("run", run);
  line.option("prompt", "TEXT", request.prompt,
              "what is continued; for data sets whose tokens are not bytes, their numbers with "
              "spaces between; default: a newline, or token 0 where that is no token");
  line.default_option("tokens", "N", request.continuation.tokens, "how many follow");
  line.default_option("temperature", "X", request.continuation.temperature,
                      "each is drawn from softmax(logits/X); 0: each is the most likely one",
                      "0.8");
  line.default_option("seed", "N", seed, "the same seed draws the same text");
  if (!line.read(arguments,
                 "usage: localbatch generate RUN [--prompt TEXT] [--tokens N] [OPTIONS]\n\n"
                 "Lets the model of a finished run continue a text, and prints both. A RUN is the\n"
                 "folder of a run, or holds one. A token is predicted from as many as the\n"
                 "sequence_length of the run says.\n"))
    return kSuccess;
  if (run.empty())
    fail_input("generate: the folder of a run is missing; see 'localbatch generate --help'");
  const int tokens = request.continuation.tokens;
  const double temperature = request.continuation.temperature;
  if (tokens < 1 || tokens > kMostTokens)
    fail_input("generate: --tokens: found {}, allowed is 1 .. {}", tokens, kMostTokens);
  if (!(temperature >= 0 && temperature <= kHottest))
    fail_input("generate: --temperature: found {}, allowed is 0 .. {}", temperature, kHottest);
  if (seed < 0) fail_input("generate: --seed: found {}, allowed is 0 or more", seed);
  request.run = run;
  request.continuation.seed = static_cast<std::uint64_t>(seed);
  print("{}\n", generate_text(request));
  return kSuccess;
}

}  // namespace localbatch
