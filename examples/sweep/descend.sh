# Goes down the slope of (x - 700)^2 from 0, in whole numbers, and prints where it came to.
rate=$1 steps=$2 x=0 step=0
while [ "$step" -lt "$steps" ]; do
    x=$((x + rate * 2 * (700 - x) / 1000))
    step=$((step + 1))
done
echo "$rate $steps $x $(((x - 700) * (x - 700)))"
