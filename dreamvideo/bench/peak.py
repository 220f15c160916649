"""How fast one core can multiply and add at all: what a step's rate is a share of.

The peak is that of a loop of independent fused multiply-adds in registers, as wide as the
processor has them, compiled here where there is a C compiler; else that of a large matrix product
in one thread, which reaches some nine tenths of it. Both are told.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path

import numpy as np

from dreamvideo.bench.worker_rpc import WorkerError, lines_of, serve

SIDE = 1536
# Twelve accumulators hide the latency of two units, and leave room for two constants.
LOOP = """
#include <stdio.h>
#include <time.h>
#if defined(__AVX512F__)
#define FLOATS 16
#elif defined(__AVX__)
#define FLOATS 8
#else
#define FLOATS 4
#endif
typedef float wide __attribute__((vector_size(FLOATS * 4)));
static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + 1e-9 * t.tv_nsec;
}
int main(void) {
    const long turns = 3000000;
    double best = 0;
    float total = 0;
    for (int repeat = 0; repeat < 10; repeat++) {
        wide a[12], factor, term;
        for (int i = 0; i < FLOATS; i++) {
            factor[i] = 0.999f;
            term[i] = 0.1f;
            for (int k = 0; k < 12; k++) a[k][i] = k;
        }
        double began = now();
        for (long turn = 0; turn < turns; turn++)
            for (int k = 0; k < 12; k++) a[k] = a[k] * factor + term;
        double rate = turns * 12.0 * FLOATS * 2 / (now() - began);
        best = rate > best ? rate : best;
        for (int k = 0; k < 12; k++) total += a[k][0];
    }
    printf("%.6g %g\\n", best, total);
    return 0;
}
"""


def loop_rate() -> float | None:
    """Operations a second of the loop; None without a C compiler that can make it."""
    compiler = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
    if compiler is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        source, program = Path(folder, "loop.c"), Path(folder, "loop")
        source.write_text(LOOP)
        how = ["-O3", "-march=native", "-ffp-contract=fast", "-funroll-loops"]
        try:
            list(lines_of([compiler, *how, str(source), "-o", str(program)]))
            (said,) = lines_of([str(program)])
        except WorkerError:
            return None
    return float(said.split()[0])


def product_rate() -> float:
    """Operations a second of the best of some matrix products (NumPy's, in its own threads)."""
    a = np.random.default_rng(0).random((SIDE, SIDE), np.float32)
    a @ a
    seconds = []
    for _ in range(6):
        began = time.perf_counter()
        a @ a
        seconds.append(time.perf_counter() - began)
    return 2 * SIDE**3 / min(seconds)


if __name__ == "__main__":
    serve({"loop": loop_rate, "product": product_rate})
