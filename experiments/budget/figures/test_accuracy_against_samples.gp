# Draws test_accuracy_against_samples from test_accuracy_against_samples.csv: gnuplot test_accuracy_against_samples.gp
data = 'test_accuracy_against_samples.csv'
set datafile separator ','
do for [format in 'svg'] {
  reset
  if (format eq 'svg') { set terminal svg size 818,558 font 'sans-serif,12' background '#ffffff' }
  if (format eq 'png') { set terminal pngcairo size 1636,1116 font 'sans-serif,12' fontscale 2 linewidth 2 pointscale 2 background '#ffffff' }
  if (format eq 'pdf') { set terminal pdfcairo size 8.521in,5.812in font 'sans-serif,9' background '#ffffff' }
  set datafile separator ','
  set output 'test_accuracy_against_samples.'.format
  set multiplot title 'budget-cifar10-resnet20' noenhanced font ',13'
  unset key
  set grid linecolor rgb '#d0d0d0' linewidth 0.5 dashtype 1
  set border 3
  set tics nomirror
  set xlabel 'samples (thousands)'
set yrange [5.9245:95.5855]
  # H = 16
  set lmargin at screen 0.09291
  set rmargin at screen 0.48411
  set bmargin at screen 0.44086
  set tmargin at screen 0.88889
  set xrange [0:3000.064]
  set xtics 1000
  set title 'H = 16' noenhanced offset 0,-0.6
  set ylabel 'test accuracy (%)' noenhanced
  set format y '%g'
  plot data using ($1==2?$4:NaN):6:7 with filledcurves linecolor rgb '#D55E00' fillstyle transparent solid 0.18 noborder, \
       data using ($1==4?$4:NaN):6:7 with filledcurves linecolor rgb '#009E73' fillstyle transparent solid 0.18 noborder, \
       data using ($1==17?$4:NaN):6:7 with filledcurves linecolor rgb '#E69F00' fillstyle transparent solid 0.18 noborder, \
       data using ($1==18?$4:NaN):6:7 with filledcurves linecolor rgb '#56B4E9' fillstyle transparent solid 0.18 noborder, \
       data using ($1==1?$4:NaN):5 with linespoints linecolor rgb '#0072B2' dashtype 1 pointtype 7 linewidth 1.6 pointsize 0.6 pointinterval 6, \
       data using ($1==2?$4:NaN):5 with linespoints linecolor rgb '#D55E00' dashtype 2 pointtype 5 linewidth 1.6 pointsize 0.6 pointinterval 7, \
       data using ($1==4?$4:NaN):5 with linespoints linecolor rgb '#009E73' dashtype 4 pointtype 9 linewidth 1.6 pointsize 0.6 pointinterval 11, \
       data using ($1==6?$4:NaN):5 with linespoints linecolor rgb '#000000' dashtype 5 pointtype 4 linewidth 1.6 pointsize 0.6 pointinterval 6, \
       data using ($1==8?$4:NaN):5 with linespoints linecolor rgb '#CC79A7' dashtype 3 pointtype 6 linewidth 1.6 pointsize 0.6 pointinterval 3, \
       data using ($1==9?$4:NaN):5 with linespoints linecolor rgb '#E69F00' dashtype 1 pointtype 8 linewidth 1.6 pointsize 0.6 pointinterval 4, \
       data using ($1==10?$4:NaN):5 with linespoints linecolor rgb '#56B4E9' dashtype 2 pointtype 2 linewidth 1.6 pointsize 0.6 pointinterval 2, \
       data using ($1==12?$4:NaN):5 with linespoints linecolor rgb '#0072B2' dashtype 4 pointtype 1 linewidth 1.6 pointsize 0.6 pointinterval 5, \
       data using ($1==13?$4:NaN):5 with linespoints linecolor rgb '#D55E00' dashtype 5 pointtype 7 linewidth 1.6 pointsize 0.6 pointinterval 2, \
       data using ($1==14?$4:NaN):5 with linespoints linecolor rgb '#009E73' dashtype 3 pointtype 5 linewidth 1.6 pointsize 0.6 pointinterval 4, \
       data using ($1==15?$4:NaN):5 with linespoints linecolor rgb '#000000' dashtype 1 pointtype 9 linewidth 1.6 pointsize 0.6 pointinterval 2, \
       data using ($1==16?$4:NaN):5 with linespoints linecolor rgb '#CC79A7' dashtype 2 pointtype 4 linewidth 1.6 pointsize 0.6 pointinterval 4, \
       data using ($1==17?$4:NaN):5 with linespoints linecolor rgb '#E69F00' dashtype 4 pointtype 6 linewidth 1.6 pointsize 0.6 pointinterval 6, \
       data using ($1==18?$4:NaN):5 with linespoints linecolor rgb '#56B4E9' dashtype 5 pointtype 8 linewidth 1.6 pointsize 0.6 pointinterval 3, \
       data using ($1==19?$4:NaN):5 with linespoints linecolor rgb '#0072B2' dashtype 3 pointtype 2 linewidth 1.6 pointsize 0.6 pointinterval 3, \
       data using ($1==20?$4:NaN):5 with linespoints linecolor rgb '#D55E00' dashtype 1 pointtype 1 linewidth 1.6 pointsize 0.6 pointinterval 2
  # H = 4
  set lmargin at screen 0.52567
  set rmargin at screen 0.91687
  set bmargin at screen 0.44086
  set tmargin at screen 0.88889
  set xrange [0:3000]
  set xtics 500
  set title 'H = 4' noenhanced offset 0,-0.6
  unset ylabel
  set format y ''
  plot data using ($1==3?$4:NaN):5 with linespoints linecolor rgb '#D55E00' dashtype 2 pointtype 5 linewidth 1.6 pointsize 0.6 pointinterval 6, \
       data using ($1==5?$4:NaN):5 with linespoints linecolor rgb '#009E73' dashtype 4 pointtype 9 linewidth 1.6 pointsize 0.6 pointinterval 6, \
       data using ($1==7?$4:NaN):5 with linespoints linecolor rgb '#000000' dashtype 5 pointtype 4 linewidth 1.6 pointsize 0.6 pointinterval 6, \
       data using ($1==11?$4:NaN):5 with linespoints linecolor rgb '#56B4E9' dashtype 2 pointtype 2 linewidth 1.6 pointsize 0.6 pointinterval 6
  # What all panels have in common.
  set lmargin at screen 0
  set rmargin at screen 1
  set bmargin at screen 0
  set tmargin at screen 0.34050
  unset border
  unset tics
  unset xlabel
  unset ylabel
  unset title
  unset grid
  unset logscale
  set yrange [0:1]
  set key center center horizontal maxcols 2 Left reverse noenhanced samplen 5 font ',10' width (format eq 'png' ? -9 : 0)
  plot [0:1] -1 notitle, \
       keyentry with linespoints linecolor rgb '#0072B2' dashtype 1 pointtype 7 linewidth 1.6 title 'constant 64', \
       keyentry with linespoints linecolor rgb '#D55E00' dashtype 2 pointtype 5 linewidth 1.6 title 'norm test 0.8', \
       keyentry with linespoints linecolor rgb '#009E73' dashtype 4 pointtype 9 linewidth 1.6 title 'norm test 0.8, better statistics', \
       keyentry with linespoints linecolor rgb '#000000' dashtype 5 pointtype 4 linewidth 1.6 title 'constant 256', \
       keyentry with linespoints linecolor rgb '#CC79A7' dashtype 3 pointtype 6 linewidth 1.6 title 'norm test 0.6, better statistics', \
       keyentry with linespoints linecolor rgb '#E69F00' dashtype 1 pointtype 8 linewidth 1.6 title 'constant 1024', \
       keyentry with linespoints linecolor rgb '#56B4E9' dashtype 2 pointtype 2 linewidth 1.6 title 'constant 2048', \
       keyentry with linespoints linecolor rgb '#0072B2' dashtype 4 pointtype 1 linewidth 1.6 title 'doubling every ten epochs', \
       keyentry with linespoints linecolor rgb '#D55E00' dashtype 5 pointtype 7 linewidth 1.6 title 'augmented inner-product test', \
       keyentry with linespoints linecolor rgb '#009E73' dashtype 3 pointtype 5 linewidth 1.6 title 'norm test 0.8, first step', \
       keyentry with linespoints linecolor rgb '#000000' dashtype 1 pointtype 9 linewidth 1.6 title 'norm test 0.8, unbiased', \
       keyentry with linespoints linecolor rgb '#CC79A7' dashtype 2 pointtype 4 linewidth 1.6 title 'norm test 0.8, moving average', \
       keyentry with linespoints linecolor rgb '#E69F00' dashtype 4 pointtype 6 linewidth 1.6 title 'constant 597', \
       keyentry with linespoints linecolor rgb '#56B4E9' dashtype 5 pointtype 8 linewidth 1.6 title 'constant 1470', \
       keyentry with linespoints linecolor rgb '#0072B2' dashtype 3 pointtype 2 linewidth 1.6 title 'repeats norm test 0.8, better statistics', \
       keyentry with linespoints linecolor rgb '#D55E00' dashtype 1 pointtype 1 linewidth 1.6 title 'repeats norm test 0.8', \
       keyentry with boxes linecolor rgb '#808080' fillstyle transparent solid 0.3 noborder title 'line: mean of seeds, band: smallest to largest'
  unset multiplot
  unset output
}
