# Draws wanted_by_controllers_against_samples_smooth_11 from wanted_by_controllers_against_samples_smooth_11.csv: gnuplot wanted_by_controllers_against_samples_smooth_11.gp
data = 'wanted_by_controllers_against_samples_smooth_11.csv'
set datafile separator ','
do for [format in 'svg'] {
  reset
  if (format eq 'svg') { set terminal svg size 850,501 font 'sans-serif,12' background '#ffffff' }
  if (format eq 'png') { set terminal pngcairo size 1700,1002 font 'sans-serif,12' fontscale 2 linewidth 2 pointscale 2 background '#ffffff' }
  if (format eq 'pdf') { set terminal pdfcairo size 8.854in,5.219in font 'sans-serif,9' background '#ffffff' }
  set datafile separator ','
  set output 'wanted_by_controllers_against_samples_smooth_11.'.format
  set multiplot title 'results: survey-cifar10-resnet20, survey-novels-llama (moving median of 11 rounds)' noenhanced font ',13'
  unset key
  set grid linecolor rgb '#d0d0d0' linewidth 0.5 dashtype 1
  set border 3
  set tics nomirror
  set xlabel 'samples (thousands)'
set logscale y 2
set yrange [0.833333:920797]
  # constant 4, H = 8, seed 1
  set lmargin at screen 0.12706
  set rmargin at screen 0.50353
  set bmargin at screen 0.37725
  set tmargin at screen 0.87625
  set xrange [0:40]
  set xtics 10
  set title 'constant 4, H = 8, seed 1' noenhanced offset 0,-0.6
  set ylabel 'local batch size' noenhanced
  set format y '%g'
  plot data using ($1==11?$4:NaN):6:7 with filledcurves linecolor rgb '#000000' fillstyle transparent solid 0.18 noborder, \
       data using ($1==1?$4:NaN):5 with linespoints linecolor rgb '#0072B2' dashtype 1 pointtype 7 linewidth 1.6 pointsize 0.6 pointinterval 31, \
       data using ($1==2?$4:NaN):5 with linespoints linecolor rgb '#D55E00' dashtype 2 pointtype 5 linewidth 1.6 pointsize 0.6 pointinterval 31, \
       data using ($1==3?$4:NaN):5 with linespoints linecolor rgb '#009E73' dashtype 4 pointtype 9 linewidth 1.6 pointsize 0.6 pointinterval 31, \
       data using ($1==4?$4:NaN):5 with linespoints linecolor rgb '#000000' dashtype 5 pointtype 4 linewidth 1.6 pointsize 0.6 pointinterval 31, \
       data using ($1==5?$4:NaN):5 with linespoints linecolor rgb '#CC79A7' dashtype 3 pointtype 6 linewidth 1.6 pointsize 0.6 pointinterval 31, \
       data using ($1==6?$4:NaN):5 with linespoints linecolor rgb '#E69F00' dashtype 1 pointtype 8 linewidth 1.6 pointsize 0.6 pointinterval 31, \
       data using ($1==7?$4:NaN):5 with linespoints linecolor rgb '#56B4E9' dashtype 2 pointtype 2 linewidth 1.6 pointsize 0.6 pointinterval 31, \
       data using ($1==8?$4:NaN):5 with linespoints linecolor rgb '#0072B2' dashtype 4 pointtype 1 linewidth 1.6 pointsize 0.6 pointinterval 31, \
       data using ($1==9?$4:NaN):5 with linespoints linecolor rgb '#D55E00' dashtype 5 pointtype 7 linewidth 1.6 pointsize 0.6 pointinterval 31, \
       data using ($1==10?$4:NaN):5 with linespoints linecolor rgb '#009E73' dashtype 3 pointtype 5 linewidth 1.6 pointsize 0.6 pointinterval 1, \
       data using ($1==11?$4:NaN):5 with linespoints linecolor rgb '#000000' dashtype 1 pointtype 9 linewidth 1.6 pointsize 0.6 pointinterval 1
  # constant 64, H = 16, seed 1
  set lmargin at screen 0.54353
  set rmargin at screen 0.92000
  set bmargin at screen 0.37725
  set tmargin at screen 0.87625
  set xrange [0:750]
  set xtics 200
  set title 'constant 64, H = 16, seed 1' noenhanced offset 0,-0.6
  unset ylabel
  set format y ''
  plot data using ($1==22?$4:NaN):6:7 with filledcurves linecolor rgb '#000000' fillstyle transparent solid 0.18 noborder, \
       data using ($1==12?$4:NaN):5 with linespoints linecolor rgb '#0072B2' dashtype 1 pointtype 7 linewidth 1.6 pointsize 0.6 pointinterval 18, \
       data using ($1==13?$4:NaN):5 with linespoints linecolor rgb '#D55E00' dashtype 2 pointtype 5 linewidth 1.6 pointsize 0.6 pointinterval 18, \
       data using ($1==14?$4:NaN):5 with linespoints linecolor rgb '#009E73' dashtype 4 pointtype 9 linewidth 1.6 pointsize 0.6 pointinterval 18, \
       data using ($1==15?$4:NaN):5 with linespoints linecolor rgb '#000000' dashtype 5 pointtype 4 linewidth 1.6 pointsize 0.6 pointinterval 18, \
       data using ($1==16?$4:NaN):5 with linespoints linecolor rgb '#CC79A7' dashtype 3 pointtype 6 linewidth 1.6 pointsize 0.6 pointinterval 18, \
       data using ($1==17?$4:NaN):5 with linespoints linecolor rgb '#E69F00' dashtype 1 pointtype 8 linewidth 1.6 pointsize 0.6 pointinterval 18, \
       data using ($1==18?$4:NaN):5 with linespoints linecolor rgb '#56B4E9' dashtype 2 pointtype 2 linewidth 1.6 pointsize 0.6 pointinterval 18, \
       data using ($1==19?$4:NaN):5 with linespoints linecolor rgb '#0072B2' dashtype 4 pointtype 1 linewidth 1.6 pointsize 0.6 pointinterval 18, \
       data using ($1==20?$4:NaN):5 with linespoints linecolor rgb '#D55E00' dashtype 5 pointtype 7 linewidth 1.6 pointsize 0.6 pointinterval 18, \
       data using ($1==21?$4:NaN):5 with linespoints linecolor rgb '#009E73' dashtype 3 pointtype 5 linewidth 1.6 pointsize 0.6 pointinterval 1, \
       data using ($1==22?$4:NaN):5 with linespoints linecolor rgb '#000000' dashtype 1 pointtype 9 linewidth 1.6 pointsize 0.6 pointinterval 1
  # What all panels have in common.
  set lmargin at screen 0
  set rmargin at screen 1
  set bmargin at screen 0
  set tmargin at screen 0.26547
  unset border
  unset tics
  unset xlabel
  unset ylabel
  unset title
  unset grid
  unset logscale
  set yrange [0:1]
  set key center center horizontal maxcols 2 Left reverse noenhanced samplen 5 font ',10' width (format eq 'png' ? -8 : 0)
  plot [0:1] -1 notitle, \
       keyentry with linespoints linecolor rgb '#0072B2' dashtype 1 pointtype 7 linewidth 1.6 title 'norm_test eta=0.8', \
       keyentry with linespoints linecolor rgb '#D55E00' dashtype 2 pointtype 5 linewidth 1.6 title 'norm_test eta=0.6', \
       keyentry with linespoints linecolor rgb '#009E73' dashtype 4 pointtype 9 linewidth 1.6 title 'inner_product_test theta=0.2 nu=0.8', \
       keyentry with linespoints linecolor rgb '#000000' dashtype 5 pointtype 4 linewidth 1.6 title "coordinate_norm_test eta=0.8 share='0.5'", \
       keyentry with linespoints linecolor rgb '#CC79A7' dashtype 3 pointtype 6 linewidth 1.6 title 'gradient_noise_scale scale=1', \
       keyentry with linespoints linecolor rgb '#E69F00' dashtype 1 pointtype 8 linewidth 1.6 title 'divebatch scale=1', \
       keyentry with linespoints linecolor rgb '#56B4E9' dashtype 2 pointtype 2 linewidth 1.6 title 'simigrad similarity=0.5', \
       keyentry with linespoints linecolor rgb '#0072B2' dashtype 4 pointtype 1 linewidth 1.6 title 'cabs scale=20', \
       keyentry with linespoints linecolor rgb '#D55E00' dashtype 5 pointtype 7 linewidth 1.6 title 'seesaw', \
       keyentry with linespoints linecolor rgb '#009E73' dashtype 3 pointtype 5 linewidth 1.6 title 'used', \
       keyentry with linespoints linecolor rgb '#000000' dashtype 1 pointtype 9 linewidth 1.6 title 'measured critical', \
       keyentry with boxes linecolor rgb '#808080' fillstyle transparent solid 0.3 noborder title 'band: smallest to largest of repeats'
  unset multiplot
  unset output
}
