// The rank of a matrix mod p by FFLAS-FFPACK, timed.
//
//     fflas_rank FILE ROWS COLUMNS PRIME REPEATS THREADS
//
// FILE holds ROWS x COLUMNS residues as uint64. All number types and methods that take this prime run once first, on the
// leading block of at most TRIAL rows and columns; the fastest then runs once on everything as a warm-up, and REPEATS
// times. Each run has a fresh copy of the matrix in the field's own type, and neither reading nor copying is counted.
// Prints one JSON object.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include <givaro/modular-balanced.h>
#include <givaro/modular.h>

#include <fflas-ffpack/ffpack/ffpack.h>

static const size_t TRIAL = 4000;

extern "C" {
void openblas_set_num_threads(int);
char *openblas_get_config(void);
char *openblas_get_corename(void);
}

struct Matrix {
    size_t rows, columns;
    std::vector<uint64_t> entries;
};

struct Run {
    double seconds;
    size_t rank;
};

struct Method {
    std::string name;
    std::function<Run(size_t, size_t)> run;  // of the leading rows and columns
};

enum Algorithm { PLUQ, LUDIVINE, PARALLEL_PLUQ };

template <class Field>
static size_t rank_of(const Field &F, size_t n, size_t m, typename Field::Element_ptr A, Algorithm algorithm, int threads) {
    if (algorithm == PARALLEL_PLUQ) return FFPACK::pRank(F, n, m, A, m, threads);
    if (algorithm == PLUQ) return FFPACK::Rank(F, n, m, A, m);
    std::vector<size_t> P(m), Q(n);
    return FFPACK::LUdivine(F, FFLAS::FflasNonUnit, FFLAS::FflasNoTrans, n, m, A, m, P.data(), Q.data());
}

template <class Field>
static Run run(const Matrix &matrix, uint64_t p, size_t n, size_t m, Algorithm algorithm, int threads) {
    Field F(p);
    auto A = FFLAS::fflas_new(F, n, m);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < m; j++) F.init(A[i * m + j], matrix.entries[i * matrix.columns + j]);
    // one parallel FFLAS needs a sequential BLAS; otherwise the threads are those of BLAS
    openblas_set_num_threads(algorithm == PARALLEL_PLUQ ? 1 : threads);
    auto start = std::chrono::steady_clock::now();
    size_t rank = rank_of(F, n, m, A, algorithm, threads);
    std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    FFLAS::fflas_delete(A);
    return {seconds.count(), rank};
}

template <class Field>
static void add(std::vector<Method> &methods, const char *field, const Matrix &matrix, uint64_t p, int threads) {
    if (p < (uint64_t)Field::minCardinality() || p > (uint64_t)Field::maxCardinality()) return;
    auto with = [&](const char *name, Algorithm algorithm) {
        methods.push_back({std::string(name) + " " + field, [&matrix, p, algorithm, threads](size_t n, size_t m) {
                               return run<Field>(matrix, p, n, m, algorithm, threads);
                           }});
    };
    with("PLUQ", PLUQ);
    with("LUdivine", LUDIVINE);
    if (threads > 1) with("pPLUQ", PARALLEL_PLUQ);
}

static Matrix read(const char *path, size_t rows, size_t columns) {
    Matrix matrix{rows, columns, std::vector<uint64_t>(rows * columns)};
    FILE *file = std::fopen(path, "rb");
    if (!file || std::fread(matrix.entries.data(), 8, rows * columns, file) != rows * columns) {
        std::fprintf(stderr, "%s does not hold %zu x %zu residues\n", path, rows, columns);
        std::exit(2);
    }
    std::fclose(file);
    return matrix;
}

static const Method &fastest(const std::vector<Method> &methods, size_t n, size_t m) {
    const Method *best = nullptr;
    double least = std::numeric_limits<double>::infinity();
    for (const Method &method : methods) {
        double seconds = method.run(n, m).seconds;
        if (std::getenv("FFLAS_RANK_TRIALS")) std::fprintf(stderr, "%s %.4f\n", method.name.c_str(), seconds);
        if (seconds < least) best = &method, least = seconds;
    }
    return *best;
}

int main(int argc, char **argv) {
    if (argc != 7) {
        std::fprintf(stderr, "usage: fflas_rank FILE ROWS COLUMNS PRIME REPEATS THREADS\n");
        return 2;
    }
    const Matrix matrix = read(argv[1], std::stoul(argv[2]), std::stoul(argv[3]));
    const uint64_t p = std::stoull(argv[4]);
    const int repeats = std::stoi(argv[5]), threads = std::stoi(argv[6]);
    std::vector<Method> methods;
    add<Givaro::Modular<double>>(methods, "Modular<double>", matrix, p, threads);
    add<Givaro::ModularBalanced<double>>(methods, "ModularBalanced<double>", matrix, p, threads);
    add<Givaro::Modular<float>>(methods, "Modular<float>", matrix, p, threads);
    add<Givaro::ModularBalanced<float>>(methods, "ModularBalanced<float>", matrix, p, threads);
    if (methods.empty()) {
        std::fprintf(stderr, "no field of FFLAS-FFPACK takes the prime %s\n", argv[4]);
        return 2;
    }
    openblas_set_num_threads(threads);
    const Method &method = fastest(methods, std::min(TRIAL, matrix.rows), std::min(TRIAL, matrix.columns));
    method.run(matrix.rows, matrix.columns);
    std::printf("{\"method\": \"%s\", \"blas\": \"%s\", \"core\": \"%s\", \"runs\": [", method.name.c_str(),
                openblas_get_config(), openblas_get_corename());
    for (int i = 0; i < repeats; i++) {
        Run result = method.run(matrix.rows, matrix.columns);
        std::printf("%s[%.9f, %zu]", i ? ", " : "", result.seconds, result.rank);
    }
    std::printf("]}\n");
}
