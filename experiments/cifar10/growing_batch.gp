# Draws growing_batch.svg from norm_test/rounds.csv: the norm test lets the local batch grow while the loss falls.
#   cd experiments/cifar10 && gnuplot growing_batch.gp
# A row has the end of its round, and b holds from the end of the row before: fsteps.
set terminal svg size 760,260 font "sans-serif,12" background "white"
set output "growing_batch.svg"
set datafile separator comma
set key off
set grid linecolor "#cccccc"
set border 3
set tics nomirror out
set xlabel "epochs of CIFAR-10"
set xrange [0:10]

set multiplot layout 1,2 margins 0.07,0.98,0.22,0.86 spacing 0.1
set title "local batch size b"
set yrange [0:280]
set ytics (32, 64, 128, 192, 256)
plot "norm_test/rounds.csv" using "epoch":"local_batch_size" with fsteps linewidth 2 linecolor "#0072b2"
set title "training loss of a round"
set yrange [0:2.75]
set ytics 0.5
plot "norm_test/rounds.csv" using "epoch":"loss" with lines linewidth 1.5 linecolor "#d55e00"
unset multiplot
