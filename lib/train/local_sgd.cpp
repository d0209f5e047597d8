#include "train/local_sgd.h"

#include "train/meter.h"
#include "train/method.h"
#include "train/synchronizer.h"

namespace localbatch {

Outcome local_sgd(const LocalSgd& method, Worker& worker, Meter& meter, Synchronizer& all_workers,
                  Progress& at, RunObserver& run) {
  while (at.samples < method.max_samples) {
    const RoundPlan round = method.plan(at);  // b, H, the learning rates, who looks at gradients
    const int H = round.local_steps;

    meter.begin(round);
    all_workers.begin(round);
    double loss = 0;
    for (int h = 0; h < H; ++h) {
      loss += meter.local_step(worker, h) / H;
      all_workers.after_step(h + 1);  // a proximal step, or parameters that travel meanwhile
    }

    RoundNumbers mine = all_workers.average(meter);
    mine.loss = loss;
    mine.request = run.request();
    const RoundNumbers all = all_workers.share(mine);

    const RoundStatistics gradients = meter.statistics(all);
    const RoundRecord record = method.decide(round, all, gradients);  // the next b

    advance(at, record);
    run.on_round(record);
    if (!all.finite()) return Outcome::kDiverged;
    if (all.request.stop) return Outcome::kStopped;
  }
  return Outcome::kFinished;
}

}  // namespace localbatch
