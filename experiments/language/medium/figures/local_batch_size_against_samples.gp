# Draws local_batch_size_against_samples from local_batch_size_against_samples.csv: gnuplot local_batch_size_against_samples.gp
data = 'local_batch_size_against_samples.csv'
set datafile separator ','
do for [format in 'svg'] {
  reset
  if (format eq 'svg') { set terminal svg size 464,463 font 'sans-serif,12' background '#ffffff' }
  if (format eq 'png') { set terminal pngcairo size 928,926 font 'sans-serif,12' fontscale 2 linewidth 2 pointscale 2 background '#ffffff' }
  if (format eq 'pdf') { set terminal pdfcairo size 4.833in,4.823in font 'sans-serif,9' background '#ffffff' }
  set datafile separator ','
  set output 'local_batch_size_against_samples.'.format
  set multiplot title 'language-medium' noenhanced font ',13'
  unset key
  set grid linecolor rgb '#d0d0d0' linewidth 0.5 dashtype 1
  set border 3
  set tics nomirror
  set xlabel 'samples (thousands)'
set logscale y 2
set yrange [3.33333:76.8]
  # H = 8
  set lmargin at screen 0.16379
  set rmargin at screen 0.85345
  set bmargin at screen 0.32613
  set tmargin at screen 0.86609
  set xrange [0:78.144]
  set xtics 20
  set title 'H = 8' noenhanced offset 0,-0.6
  set ylabel 'local batch size' noenhanced
  set format y '%g'
  plot data using ($1==1?$4:NaN):5 with linespoints linecolor rgb '#0072B2' dashtype 1 pointtype 7 linewidth 1.6 pointsize 0.6 pointinterval 1, \
       data using ($1==2?$4:NaN):5 with linespoints linecolor rgb '#D55E00' dashtype 2 pointtype 5 linewidth 1.6 pointsize 0.6 pointinterval 1, \
       data using ($1==3?$4:NaN):5 with linespoints linecolor rgb '#009E73' dashtype 4 pointtype 9 linewidth 1.6 pointsize 0.6 pointinterval 8, \
       data using ($1==4?$4:NaN):5 with linespoints linecolor rgb '#000000' dashtype 5 pointtype 4 linewidth 1.6 pointsize 0.6 pointinterval 1
  # What all panels have in common.
  set lmargin at screen 0
  set rmargin at screen 1
  set bmargin at screen 0
  set tmargin at screen 0.20518
  unset border
  unset tics
  unset xlabel
  unset ylabel
  unset title
  unset grid
  unset logscale
  set yrange [0:1]
  set key center center horizontal maxcols 1 Left reverse noenhanced samplen 5 font ',10' width (format eq 'png' ? -6 : 0)
  plot [0:1] -1 notitle, \
       keyentry with linespoints linecolor rgb '#0072B2' dashtype 1 pointtype 7 linewidth 1.6 title 'constant 4', \
       keyentry with linespoints linecolor rgb '#D55E00' dashtype 2 pointtype 5 linewidth 1.6 title 'norm test 0.8', \
       keyentry with linespoints linecolor rgb '#009E73' dashtype 4 pointtype 9 linewidth 1.6 title 'norm test 0.8, better statistics', \
       keyentry with linespoints linecolor rgb '#000000' dashtype 5 pointtype 4 linewidth 1.6 title 'constant 16'
  unset multiplot
  unset output
}
