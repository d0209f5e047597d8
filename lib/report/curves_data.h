#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "report/results.h"

namespace localbatch {

/// The quantities on the axes of a figure.
struct FigureAxes {
  std::string x;   ///< samples, rounds, epochs, local_steps, seconds or bytes
  std::string y;   ///< a column of rounds.csv or evaluations.csv
  int smooth = 1;  ///< points of a curve of which a point is the median; an odd number
};

std::vector<std::string> names_of_x();
std::vector<std::string> names_of_y();

/// The axes by their full names: `round` and `epoch`, as the columns are called, are `rounds` and
/// `epochs`. Throws an InputError for a name that does not exist and a number that is not allowed.
FigureAxes checked_axes(FigureAxes axes);

/// "test accuracy (%)" and what data is divided by for that: 0.01.
struct AxisScale {
  std::string title;
  double divisor = 1;
  bool is_logarithmic = false;
};
AxisScale scale_of(const std::string& name);

/// Where each row of rounds.csv or evaluations.csv, the `columns` of the run, ends on an x axis;
/// nothing for a row of which the files do not say.
std::optional<std::vector<std::optional<double>>> ends_of_rows(const FinishedRun& run,
                                                               const CsvColumns& columns,
                                                               const std::string& x);

struct Curve {
  std::vector<double> x, y;  ///< x increases
  /// Each y holds until the next x, as what a round begins with does; else y is linear between
  /// points.
  bool has_steps = false;
};

/// The curve of a run over the rows in which the quantity was measured and is finite. Nothing if
/// the files of the run do not have it. What a round begins with (H, batch sizes, the learning
/// rate) stands where the round begins, everything else where it ends.
std::optional<Curve> curve_of(const FinishedRun& run, const FigureAxes& axes);

/// The curve with the median of the `points` values around each in its place; fewer at its ends.
Curve smoothed(const Curve& curve, int points);

/// Mean, smallest and largest of several curves.
struct Band {
  std::vector<double> x, mean, min, max;
  int n = 0;  ///< curves
};

/// The band at every x of every curve that all of them cover. Where a curve has no point of its own
/// it is interpolated linearly; curves with the same x, as runs evaluated after the same samples,
/// are never interpolated.
Band band_of(const std::vector<Curve>& curves);

/// The band without points between two of the same heights, of which a batch size that seldom
/// changes has thousands. The drawn lines are the same.
Band without_flat_points(const Band& band);

/// A line of a figure.
struct Series {
  std::size_t row = 0, group = 0;
  std::string note;  ///< "2 of 3 seeds" when some are missing, "diverged", "unfinished, 41 %"
  Band band;
};

struct Figure {
  FigureAxes axes;
  std::string title;  ///< names of the experiments, and what was done to the curves
  std::vector<std::string> rows, groups;
  std::vector<Series> series;
  std::vector<std::string> remarks;  ///< of its results, and which runs are not in it
  std::string band_text = "line: mean of seeds, band: smallest to largest";
};

/// What a line of so many of the runs of a cell is marked with: Series::note.
std::string note_of(const ResultCell& cell, Counted counted, int drawn);

/// "constant 64, H = 16, seed 1 is not shown: missing", a remark of a figure.
std::string not_shown(const Results& results, const ResultCell& cell, const SeedRun& run,
                      const std::string& reason);

/// Of each cell: the runs that have finished; if there is none and the results ask for it, those
/// that have not ended; else those that have diverged, up to there.
Figure make_figure(const Results& results, const FigureAxes& axes);

/// The data of a figure as CSV, for gnuplot and other programs: series,H,schedule,x,mean,min,max,n
/// in the units of the axes; series counts from 1.
std::string data_of(const Figure& figure);

}  // namespace localbatch
