set -eu
for number in $(seq 1 40); do
    logger --tag shop --id "order $number accepted"
done
logger --tag shop 'the last order'
