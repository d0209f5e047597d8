# Draws test_bits_per_byte_against_bytes from test_bits_per_byte_against_bytes.csv: gnuplot test_bits_per_byte_against_bytes.gp
data = 'test_bits_per_byte_against_bytes.csv'
set datafile separator ','
do for [format in 'svg'] {
  reset
  if (format eq 'svg') { set terminal svg size 820,539 font 'sans-serif,12' background '#ffffff' }
  if (format eq 'png') { set terminal pngcairo size 1640,1078 font 'sans-serif,12' fontscale 2 linewidth 2 pointscale 2 background '#ffffff' }
  if (format eq 'pdf') { set terminal pdfcairo size 8.542in,5.615in font 'sans-serif,9' background '#ffffff' }
  set datafile separator ','
  set output 'test_bits_per_byte_against_bytes.'.format
  set multiplot title 'language-budget' noenhanced font ',13'
  unset key
  set grid linecolor rgb '#d0d0d0' linewidth 0.5 dashtype 1
  set border 3
  set tics nomirror
  set xlabel 'MB given to averages by each worker'
set logscale x 10
set xrange [2.57067:2261.78]
set xtics (10, 100, 1000)
set yrange [1.63703:4.59323]
  # H = 8
  set lmargin at screen 0.09512
  set rmargin at screen 0.48537
  set bmargin at screen 0.42115
  set tmargin at screen 0.88497
  set title 'H = 8' noenhanced offset 0,-0.6
  set ylabel 'test bits per byte' noenhanced
  set format y '%g'
  plot data using ($1==1?$4:NaN):6:7 with filledcurves linecolor rgb '#0072B2' fillstyle transparent solid 0.18 noborder, \
       data using ($1==3?$4:NaN):6:7 with filledcurves linecolor rgb '#D55E00' fillstyle transparent solid 0.18 noborder, \
       data using ($1==5?$4:NaN):6:7 with filledcurves linecolor rgb '#009E73' fillstyle transparent solid 0.18 noborder, \
       data using ($1==22?$4:NaN):6:7 with filledcurves linecolor rgb '#E69F00' fillstyle transparent solid 0.18 noborder, \
       data using ($1==23?$4:NaN):6:7 with filledcurves linecolor rgb '#56B4E9' fillstyle transparent solid 0.18 noborder, \
       data using ($1==1?$4:NaN):5 with linespoints linecolor rgb '#0072B2' dashtype 1 pointtype 7 linewidth 1.6 pointsize 0.6 pointinterval 2, \
       data using ($1==3?$4:NaN):5 with linespoints linecolor rgb '#D55E00' dashtype 2 pointtype 5 linewidth 1.6 pointsize 0.6 pointinterval 2, \
       data using ($1==5?$4:NaN):5 with linespoints linecolor rgb '#009E73' dashtype 4 pointtype 9 linewidth 1.6 pointsize 0.6 pointinterval 3, \
       data using ($1==7?$4:NaN):5 with linespoints linecolor rgb '#000000' dashtype 5 pointtype 4 linewidth 1.6 pointsize 0.6 pointinterval 2, \
       data using ($1==9?$4:NaN):5 with linespoints linecolor rgb '#CC79A7' dashtype 3 pointtype 6 linewidth 1.6 pointsize 0.6 pointinterval 2, \
       data using ($1==11?$4:NaN):5 with linespoints linecolor rgb '#E69F00' dashtype 1 pointtype 8 linewidth 1.6 pointsize 0.6 pointinterval 2, \
       data using ($1==13?$4:NaN):5 with linespoints linecolor rgb '#56B4E9' dashtype 2 pointtype 2 linewidth 1.6 pointsize 0.6 pointinterval 2, \
       data using ($1==15?$4:NaN):5 with linespoints linecolor rgb '#0072B2' dashtype 4 pointtype 1 linewidth 1.6 pointsize 0.6 pointinterval 2, \
       data using ($1==17?$4:NaN):5 with linespoints linecolor rgb '#D55E00' dashtype 5 pointtype 7 linewidth 1.6 pointsize 0.6 pointinterval 2, \
       data using ($1==22?$4:NaN):5 with linespoints linecolor rgb '#E69F00' dashtype 4 pointtype 6 linewidth 1.6 pointsize 0.6 pointinterval 2, \
       data using ($1==23?$4:NaN):5 with linespoints linecolor rgb '#56B4E9' dashtype 5 pointtype 8 linewidth 1.6 pointsize 0.6 pointinterval 2
  # H = 32
  set lmargin at screen 0.52683
  set rmargin at screen 0.91707
  set bmargin at screen 0.42115
  set tmargin at screen 0.88497
  set title 'H = 32' noenhanced offset 0,-0.6
  unset ylabel
  set format y ''
  plot data using ($1==18?$4:NaN):6:7 with filledcurves linecolor rgb '#D55E00' fillstyle transparent solid 0.18 noborder, \
       data using ($1==19?$4:NaN):6:7 with filledcurves linecolor rgb '#009E73' fillstyle transparent solid 0.18 noborder, \
       data using ($1==20?$4:NaN):6:7 with filledcurves linecolor rgb '#000000' fillstyle transparent solid 0.18 noborder, \
       data using ($1==2?$4:NaN):5 with linespoints linecolor rgb '#0072B2' dashtype 1 pointtype 7 linewidth 1.6 pointsize 0.6 pointinterval 2, \
       data using ($1==4?$4:NaN):5 with linespoints linecolor rgb '#D55E00' dashtype 2 pointtype 5 linewidth 1.6 pointsize 0.6 pointinterval 1, \
       data using ($1==6?$4:NaN):5 with linespoints linecolor rgb '#009E73' dashtype 4 pointtype 9 linewidth 1.6 pointsize 0.6 pointinterval 1, \
       data using ($1==8?$4:NaN):5 with linespoints linecolor rgb '#000000' dashtype 5 pointtype 4 linewidth 1.6 pointsize 0.6 pointinterval 2, \
       data using ($1==10?$4:NaN):5 with linespoints linecolor rgb '#CC79A7' dashtype 3 pointtype 6 linewidth 1.6 pointsize 0.6 pointinterval 1, \
       data using ($1==12?$4:NaN):5 with linespoints linecolor rgb '#E69F00' dashtype 1 pointtype 8 linewidth 1.6 pointsize 0.6 pointinterval 1, \
       data using ($1==14?$4:NaN):5 with linespoints linecolor rgb '#56B4E9' dashtype 2 pointtype 2 linewidth 1.6 pointsize 0.6 pointinterval 1, \
       data using ($1==16?$4:NaN):5 with linespoints linecolor rgb '#0072B2' dashtype 4 pointtype 1 linewidth 1.6 pointsize 0.6 pointinterval 2, \
       data using ($1==18?$4:NaN):5 with linespoints linecolor rgb '#D55E00' dashtype 5 pointtype 7 linewidth 1.6 pointsize 0.6 pointinterval 2, \
       data using ($1==19?$4:NaN):5 with linespoints linecolor rgb '#009E73' dashtype 3 pointtype 5 linewidth 1.6 pointsize 0.6 pointinterval 2, \
       data using ($1==20?$4:NaN):5 with linespoints linecolor rgb '#000000' dashtype 1 pointtype 9 linewidth 1.6 pointsize 0.6 pointinterval 2, \
       data using ($1==21?$4:NaN):5 with linespoints linecolor rgb '#CC79A7' dashtype 2 pointtype 4 linewidth 1.6 pointsize 0.6 pointinterval 2
  # What all panels have in common.
  set lmargin at screen 0
  set rmargin at screen 1
  set bmargin at screen 0
  set tmargin at screen 0.31725
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
       keyentry with linespoints linecolor rgb '#0072B2' dashtype 1 pointtype 7 linewidth 1.6 title 'constant 4', \
       keyentry with linespoints linecolor rgb '#D55E00' dashtype 2 pointtype 5 linewidth 1.6 title 'norm test 0.8', \
       keyentry with linespoints linecolor rgb '#009E73' dashtype 4 pointtype 9 linewidth 1.6 title 'norm test 0.8, better statistics', \
       keyentry with linespoints linecolor rgb '#000000' dashtype 5 pointtype 4 linewidth 1.6 title 'constant 16', \
       keyentry with linespoints linecolor rgb '#CC79A7' dashtype 3 pointtype 6 linewidth 1.6 title 'norm test 0.6, better statistics', \
       keyentry with linespoints linecolor rgb '#E69F00' dashtype 1 pointtype 8 linewidth 1.6 title 'constant 64', \
       keyentry with linespoints linecolor rgb '#56B4E9' dashtype 2 pointtype 2 linewidth 1.6 title 'augmented inner-product test', \
       keyentry with linespoints linecolor rgb '#0072B2' dashtype 4 pointtype 1 linewidth 1.6 title 'constant 16, nesterov', \
       keyentry with linespoints linecolor rgb '#D55E00' dashtype 5 pointtype 7 linewidth 1.6 title 'norm test 0.8, better statistics, nesterov', \
       keyentry with linespoints linecolor rgb '#009E73' dashtype 3 pointtype 5 linewidth 1.6 title 'constant 4, nesterov', \
       keyentry with linespoints linecolor rgb '#000000' dashtype 1 pointtype 9 linewidth 1.6 title 'constant 8, nesterov', \
       keyentry with linespoints linecolor rgb '#CC79A7' dashtype 2 pointtype 4 linewidth 1.6 title 'constant 9', \
       keyentry with linespoints linecolor rgb '#E69F00' dashtype 4 pointtype 6 linewidth 1.6 title 'constant 20', \
       keyentry with linespoints linecolor rgb '#56B4E9' dashtype 5 pointtype 8 linewidth 1.6 title 'one worker 16', \
       keyentry with boxes linecolor rgb '#808080' fillstyle transparent solid 0.3 noborder title 'line: mean of seeds, band: smallest to largest'
  unset multiplot
  unset output
}
