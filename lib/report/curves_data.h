#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "report/results.h"

namespace localbatch {

/// The quantities on the axes of a figure.
struct FigureAxes {
  std::string x;  ///< samples, rounds, seconds or bytes
  std::string y;  ///< a column of rounds.csv or evaluations.csv
};

std::vector<std::string> names_of_x();
std::vector<std::string> names_of_y();

/// Throws an InputError for a name that does not exist.
void check_axes(const FigureAxes& axes);

/// "test accuracy (%)" and what data is divided by for that: 0.01.
struct AxisScale {
  std::string title;
  double divisor = 1;
  bool is_logarithmic = false;
};
AxisScale scale_of(const std::string& name);

struct Curve {
  std::vector<double> x, y;  ///< x increases
};

/// The curve of a run over the rows in which the quantity was measured and is finite. Nothing if
/// the files of the run do not have it.
std::optional<Curve> curve_of(const FinishedRun& run, const FigureAxes& axes);

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
  std::string note;  ///< "2 of 3 seeds" when some are missing, "diverged"
  Band band;
};

struct Figure {
  FigureAxes axes;
  std::vector<std::string> rows, groups;
  std::vector<Series> series;
  std::vector<std::string> remarks;  ///< runs that are not in it
};

/// Uses finished runs; if all runs of a cell have diverged, plots them up to divergence.
Figure make_figure(const Results& results, const FigureAxes& axes);

/// The data of a figure as CSV, for gnuplot and other programs: series,H,schedule,x,mean,min,max,n
/// in the units of the axes; series counts from 1.
std::string data_of(const Figure& figure);

}  // namespace localbatch
