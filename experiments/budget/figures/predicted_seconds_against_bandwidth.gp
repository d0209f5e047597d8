# Draws predicted_seconds_against_bandwidth from predicted_seconds_against_bandwidth.csv: gnuplot predicted_seconds_against_bandwidth.gp
# constant 2048, H = 16, seed 1 is not shown: does not reach test_accuracy >= 0.8
# constant 2048, H = 4, seed 1 is not shown: does not reach test_accuracy >= 0.8
# norm test 0.8, unbiased, H = 16, seed 1 is not shown: does not reach test_accuracy >= 0.8
# constant 1470, H = 16, seed 3 is not shown: does not reach test_accuracy >= 0.8
data = 'predicted_seconds_against_bandwidth.csv'
set datafile separator ','
do for [format in 'svg'] {
  reset
  if (format eq 'svg') { set terminal svg size 830,1004 font 'sans-serif,12' background '#ffffff' }
  if (format eq 'png') { set terminal pngcairo size 1660,2008 font 'sans-serif,12' fontscale 2 linewidth 2 pointscale 2 background '#ffffff' }
  if (format eq 'pdf') { set terminal pdfcairo size 8.646in,10.458in font 'sans-serif,9' background '#ffffff' }
  set datafile separator ','
  set output 'predicted_seconds_against_bandwidth.'.format
  set multiplot title 'budget-cifar10-resnet20: predicted seconds to test_accuracy >= 0.8' noenhanced font ',13'
  unset key
  set grid linecolor rgb '#d0d0d0' linewidth 0.5 dashtype 1
  set border 3
  set tics nomirror
  set xlabel "bandwidth of a host's link (Gbit/s)"
set logscale x 10
set xrange [0.000833333:120]
set xtics (0.001, 0.01, 0.1, 1, 10, 100)
set logscale y 2
set yrange [93.556:10995.5]
  # H = 16, M = 4
  set lmargin at screen 0.10602
  set rmargin at screen 0.49157
  set bmargin at screen 0.68924
  set tmargin at screen 0.93825
  set title 'H = 16, M = 4' noenhanced offset 0,-0.6
  set ylabel 'predicted seconds' noenhanced
  set format y '%g'
  plot data using ($1==3?$4:NaN):6:7 with filledcurves linecolor rgb '#D55E00' fillstyle transparent solid 0.18 noborder, \
       data using ($1==7?$4:NaN):6:7 with filledcurves linecolor rgb '#009E73' fillstyle transparent solid 0.18 noborder, \
       data using ($1==27?$4:NaN):6:7 with filledcurves linecolor rgb '#E69F00' fillstyle transparent solid 0.18 noborder, \
       data using ($1==29?$4:NaN):6:7 with filledcurves linecolor rgb '#56B4E9' fillstyle transparent solid 0.18 noborder, \
       data using ($1==1?$4:NaN):5 with linespoints linecolor rgb '#0072B2' dashtype 1 pointtype 7 linewidth 1.6 pointsize 0.6 pointinterval 2, \
       data using ($1==3?$4:NaN):5 with linespoints linecolor rgb '#D55E00' dashtype 2 pointtype 5 linewidth 1.6 pointsize 0.6 pointinterval 2, \
       data using ($1==7?$4:NaN):5 with linespoints linecolor rgb '#009E73' dashtype 4 pointtype 9 linewidth 1.6 pointsize 0.6 pointinterval 2, \
       data using ($1==11?$4:NaN):5 with linespoints linecolor rgb '#000000' dashtype 5 pointtype 4 linewidth 1.6 pointsize 0.6 pointinterval 2, \
       data using ($1==15?$4:NaN):5 with linespoints linecolor rgb '#CC79A7' dashtype 3 pointtype 6 linewidth 1.6 pointsize 0.6 pointinterval 2, \
       data using ($1==17?$4:NaN):5 with linespoints linecolor rgb '#E69F00' dashtype 1 pointtype 8 linewidth 1.6 pointsize 0.6 pointinterval 2, \
       data using ($1==19?$4:NaN):5 with linespoints linecolor rgb '#0072B2' dashtype 4 pointtype 1 linewidth 1.6 pointsize 0.6 pointinterval 2, \
       data using ($1==21?$4:NaN):5 with linespoints linecolor rgb '#D55E00' dashtype 5 pointtype 7 linewidth 1.6 pointsize 0.6 pointinterval 2, \
       data using ($1==23?$4:NaN):5 with linespoints linecolor rgb '#009E73' dashtype 3 pointtype 5 linewidth 1.6 pointsize 0.6 pointinterval 2, \
       data using ($1==25?$4:NaN):5 with linespoints linecolor rgb '#CC79A7' dashtype 2 pointtype 4 linewidth 1.6 pointsize 0.6 pointinterval 2, \
       data using ($1==27?$4:NaN):5 with linespoints linecolor rgb '#E69F00' dashtype 4 pointtype 6 linewidth 1.6 pointsize 0.6 pointinterval 2, \
       data using ($1==29?$4:NaN):5 with linespoints linecolor rgb '#56B4E9' dashtype 5 pointtype 8 linewidth 1.6 pointsize 0.6 pointinterval 2, \
       data using ($1==31?$4:NaN):5 with linespoints linecolor rgb '#0072B2' dashtype 3 pointtype 2 linewidth 1.6 pointsize 0.6 pointinterval 2, \
       data using ($1==33?$4:NaN):5 with linespoints linecolor rgb '#D55E00' dashtype 1 pointtype 1 linewidth 1.6 pointsize 0.6 pointinterval 2
  # H = 16, M = 256
  set lmargin at screen 0.53253
  set rmargin at screen 0.91807
  set bmargin at screen 0.68924
  set tmargin at screen 0.93825
  set title 'H = 16, M = 256' noenhanced offset 0,-0.6
  unset ylabel
  set format y ''
  plot data using ($1==4?$4:NaN):6:7 with filledcurves linecolor rgb '#D55E00' fillstyle transparent solid 0.18 noborder, \
       data using ($1==8?$4:NaN):6:7 with filledcurves linecolor rgb '#009E73' fillstyle transparent solid 0.18 noborder, \
       data using ($1==28?$4:NaN):6:7 with filledcurves linecolor rgb '#E69F00' fillstyle transparent solid 0.18 noborder, \
       data using ($1==30?$4:NaN):6:7 with filledcurves linecolor rgb '#56B4E9' fillstyle transparent solid 0.18 noborder, \
       data using ($1==2?$4:NaN):5 with linespoints linecolor rgb '#0072B2' dashtype 1 pointtype 7 linewidth 1.6 pointsize 0.6 pointinterval 2, \
       data using ($1==4?$4:NaN):5 with linespoints linecolor rgb '#D55E00' dashtype 2 pointtype 5 linewidth 1.6 pointsize 0.6 pointinterval 2, \
       data using ($1==8?$4:NaN):5 with linespoints linecolor rgb '#009E73' dashtype 4 pointtype 9 linewidth 1.6 pointsize 0.6 pointinterval 2, \
       data using ($1==12?$4:NaN):5 with linespoints linecolor rgb '#000000' dashtype 5 pointtype 4 linewidth 1.6 pointsize 0.6 pointinterval 2, \
       data using ($1==16?$4:NaN):5 with linespoints linecolor rgb '#CC79A7' dashtype 3 pointtype 6 linewidth 1.6 pointsize 0.6 pointinterval 2, \
       data using ($1==18?$4:NaN):5 with linespoints linecolor rgb '#E69F00' dashtype 1 pointtype 8 linewidth 1.6 pointsize 0.6 pointinterval 2, \
       data using ($1==20?$4:NaN):5 with linespoints linecolor rgb '#0072B2' dashtype 4 pointtype 1 linewidth 1.6 pointsize 0.6 pointinterval 2, \
       data using ($1==22?$4:NaN):5 with linespoints linecolor rgb '#D55E00' dashtype 5 pointtype 7 linewidth 1.6 pointsize 0.6 pointinterval 2, \
       data using ($1==24?$4:NaN):5 with linespoints linecolor rgb '#009E73' dashtype 3 pointtype 5 linewidth 1.6 pointsize 0.6 pointinterval 2, \
       data using ($1==26?$4:NaN):5 with linespoints linecolor rgb '#CC79A7' dashtype 2 pointtype 4 linewidth 1.6 pointsize 0.6 pointinterval 2, \
       data using ($1==28?$4:NaN):5 with linespoints linecolor rgb '#E69F00' dashtype 4 pointtype 6 linewidth 1.6 pointsize 0.6 pointinterval 2, \
       data using ($1==30?$4:NaN):5 with linespoints linecolor rgb '#56B4E9' dashtype 5 pointtype 8 linewidth 1.6 pointsize 0.6 pointinterval 2, \
       data using ($1==32?$4:NaN):5 with linespoints linecolor rgb '#0072B2' dashtype 3 pointtype 2 linewidth 1.6 pointsize 0.6 pointinterval 2, \
       data using ($1==34?$4:NaN):5 with linespoints linecolor rgb '#D55E00' dashtype 1 pointtype 1 linewidth 1.6 pointsize 0.6 pointinterval 2
  # H = 4, M = 4
  set lmargin at screen 0.10602
  set rmargin at screen 0.49157
  set bmargin at screen 0.35857
  set tmargin at screen 0.60757
  set title 'H = 4, M = 4' noenhanced offset 0,-0.6
  set ylabel 'predicted seconds' noenhanced
  set format y '%g'
  plot data using ($1==5?$4:NaN):5 with linespoints linecolor rgb '#D55E00' dashtype 2 pointtype 5 linewidth 1.6 pointsize 0.6 pointinterval 2, \
       data using ($1==9?$4:NaN):5 with linespoints linecolor rgb '#009E73' dashtype 4 pointtype 9 linewidth 1.6 pointsize 0.6 pointinterval 2, \
       data using ($1==13?$4:NaN):5 with linespoints linecolor rgb '#000000' dashtype 5 pointtype 4 linewidth 1.6 pointsize 0.6 pointinterval 2
  # H = 4, M = 256
  set lmargin at screen 0.53253
  set rmargin at screen 0.91807
  set bmargin at screen 0.35857
  set tmargin at screen 0.60757
  set title 'H = 4, M = 256' noenhanced offset 0,-0.6
  unset ylabel
  set format y ''
  plot data using ($1==6?$4:NaN):5 with linespoints linecolor rgb '#D55E00' dashtype 2 pointtype 5 linewidth 1.6 pointsize 0.6 pointinterval 2, \
       data using ($1==10?$4:NaN):5 with linespoints linecolor rgb '#009E73' dashtype 4 pointtype 9 linewidth 1.6 pointsize 0.6 pointinterval 2, \
       data using ($1==14?$4:NaN):5 with linespoints linecolor rgb '#000000' dashtype 5 pointtype 4 linewidth 1.6 pointsize 0.6 pointinterval 2
  # What all panels have in common.
  set lmargin at screen 0
  set rmargin at screen 1
  set bmargin at screen 0
  set tmargin at screen 0.30279
  unset border
  unset tics
  unset xlabel
  unset ylabel
  unset title
  unset grid
  unset logscale
  set yrange [0:1]
  set key center center horizontal maxcols 1 Left reverse noenhanced samplen 5 font ',10' width (format eq 'png' ? -14 : 0)
  plot [0:1] -1 notitle, \
       keyentry with linespoints linecolor rgb '#0072B2' dashtype 1 pointtype 7 linewidth 1.6 title 'constant 64', \
       keyentry with linespoints linecolor rgb '#D55E00' dashtype 2 pointtype 5 linewidth 1.6 title 'norm test 0.8', \
       keyentry with linespoints linecolor rgb '#009E73' dashtype 4 pointtype 9 linewidth 1.6 title 'norm test 0.8, better statistics', \
       keyentry with linespoints linecolor rgb '#000000' dashtype 5 pointtype 4 linewidth 1.6 title 'constant 256', \
       keyentry with linespoints linecolor rgb '#CC79A7' dashtype 3 pointtype 6 linewidth 1.6 title 'norm test 0.6, better statistics', \
       keyentry with linespoints linecolor rgb '#E69F00' dashtype 1 pointtype 8 linewidth 1.6 title 'constant 1024', \
       keyentry with linespoints linecolor rgb '#0072B2' dashtype 4 pointtype 1 linewidth 1.6 title 'doubling every ten epochs', \
       keyentry with linespoints linecolor rgb '#D55E00' dashtype 5 pointtype 7 linewidth 1.6 title 'augmented inner-product test', \
       keyentry with linespoints linecolor rgb '#009E73' dashtype 3 pointtype 5 linewidth 1.6 title 'norm test 0.8, first step', \
       keyentry with linespoints linecolor rgb '#CC79A7' dashtype 2 pointtype 4 linewidth 1.6 title 'norm test 0.8, moving average', \
       keyentry with linespoints linecolor rgb '#E69F00' dashtype 4 pointtype 6 linewidth 1.6 title 'constant 597', \
       keyentry with linespoints linecolor rgb '#56B4E9' dashtype 5 pointtype 8 linewidth 1.6 title 'constant 1470 (H = 16, M = 4: 2 of 3 seeds; H = 16, M = 256: 2 of 3 seeds)', \
       keyentry with linespoints linecolor rgb '#0072B2' dashtype 3 pointtype 2 linewidth 1.6 title 'repeats norm test 0.8, better statistics', \
       keyentry with linespoints linecolor rgb '#D55E00' dashtype 1 pointtype 1 linewidth 1.6 title 'repeats norm test 0.8', \
       keyentry with boxes linecolor rgb '#808080' fillstyle transparent solid 0.3 noborder title 'line: mean of seeds, band: smallest to largest'
  unset multiplot
  unset output
}
