# A step of continuous integration: compile, test, keep what came out.
set -eu
mkdir -p /tmp/work/src /tmp/artefacts
cd /tmp/work
cat >src/sum.c <<'C'
#include "sum.h"
int sum(const int *numbers, int count) { int all = 0; while (count--) all += numbers[count]; return all; }
C
echo 'int sum(const int *numbers, int count);' >src/sum.h
cat >src/main.c <<'C'
#include <stdio.h>
#include "sum.h"
int main(void) { int numbers[] = {1, 2, 3}; printf("%d\n", sum(numbers, 3)); return 0; }
C
cat >src/test.c <<'C'
#include <assert.h>
#include "sum.h"
int main(void) { int numbers[] = {4, -4, 1}; assert(sum(numbers, 3) == 1); assert(sum(0, 0) == 0); return 0; }
C
printf 'CFLAGS = -O2 -Wall\nall: total\ntotal: src/main.o src/sum.o\n\t$(CC) -o $@ $^\ntest: src/test.o src/sum.o\n\t$(CC) -o check $^\n\t./check\n' >Makefile
make --jobs 2 all
make test
./total
tar -czf /tmp/artefacts/total.tar.gz total
sha256sum /tmp/artefacts/total.tar.gz >/tmp/artefacts/SHA256SUMS
