#include "experiment/method_traffic.h"

#include "train/round_numbers.h"
#include "train/round_statistics.h"

namespace localbatch {

namespace {

/// What batch norm needs before a model can be evaluated or written.
std::vector<Meeting> meetings_for_batch_norm(const Experiment& experiment, std::size_t batch_norm) {
  if (experiment.batch_norm_at_sync.policy == BatchNormAtSync::Policy::kRecompute)
    return {{.numbers = batch_norm, .traffic = Traffic::kEvaluation}};
  return {{.averaged = {{.length = batch_norm, .traffic = Traffic::kEvaluation}}}};
}

/// Of GradientMeter: gradients travel where they are compared between workers.
void add_gradients(const Experiment& experiment, std::size_t parameters,
                   std::vector<Meeting>& round) {
  const Measurement measured = measurement(experiment.method);
  if (measured.statistics.chunks != Chunks::kWorkers) return;
  const Meeting::Array gradient{.length = parameters, .traffic = Traffic::kGradients};
  round.front().averaged.push_back(gradient);
  if (measured.needs.coordinates && experiment.workers > 1)
    round.push_back({.averaged = {gradient}});
}

}  // namespace

MethodMeetings meetings_of(const Experiment& experiment, const WorkerArrays& arrays) {
  constexpr std::size_t kJackknifeNumbers = 3, kJackknives = 4;
  constexpr std::size_t kTestNumbers = 3, kGapNumbers = 5;
  const bool network = !experiment.problem.make;
  MethodMeetings meetings;

  Meeting synchronization{
      .averaged = {{.length = arrays.parameters, .payload = experiment.method.payload}}};
  if (experiment.inner_optimizer.at_sync == StatePolicy::kAverage)
    synchronization.averaged.push_back(
        {.length = arrays.optimizer_state, .traffic = Traffic::kState});
  if (network && experiment.batch_norm_at_sync.policy == BatchNormAtSync::Policy::kAverage)
    synchronization.averaged.push_back({.length = arrays.batch_norm, .traffic = Traffic::kState});
  meetings.round = {synchronization, {.numbers = kRoundNumbers, .traffic = Traffic::kStatistics}};
  meetings.measured_round = meetings.round;
  add_gradients(experiment, arrays.parameters, meetings.measured_round);

  meetings.audit.push_back({.numbers = kGroupSumFields.size(), .traffic = Traffic::kStatistics});
  meetings.audit.insert(meetings.audit.end(), kJackknives,
                        {.numbers = kJackknifeNumbers, .traffic = Traffic::kStatistics});
  if (experiment.problem.trace)
    meetings.local_step = {
        {.averaged = {{.length = arrays.parameters, .traffic = Traffic::kEvaluation}}}};
  if (network) {
    meetings.end = meetings_for_batch_norm(experiment, arrays.batch_norm);
    meetings.evaluation = meetings.end;
  }
  meetings.evaluation.push_back(
      {.numbers = network ? kTestNumbers : kGapNumbers, .traffic = Traffic::kEvaluation});
  return meetings;
}

ExpectedTraffic traffic_of(const std::vector<Meeting>& meetings, const TrafficForecast& forecast) {
  ExpectedTraffic traffic;
  for (const Meeting& meeting : meetings) traffic += forecast.meeting(meeting);
  return traffic;
}

ExpectedTraffic traffic_of_run(const MethodMeetings& meetings, const RoundCount& count,
                               const TrafficForecast& forecast) {
  ExpectedTraffic traffic = forecast.start();
  traffic += (count.rounds - count.measured) * traffic_of(meetings.round, forecast);
  traffic += count.measured * traffic_of(meetings.measured_round, forecast);
  traffic += count.audited * traffic_of(meetings.audit, forecast);
  traffic += count.local_steps * traffic_of(meetings.local_step, forecast);
  traffic += count.evaluations * traffic_of(meetings.evaluation, forecast);
  traffic += traffic_of(meetings.end, forecast);
  return traffic;
}

}  // namespace localbatch
