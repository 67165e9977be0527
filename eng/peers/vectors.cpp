// hnswlib for AiDb.Benchmarks: builds a graph and searches it as the commands on its standard input say, on one thread.
//   vectors BASE QUERIES TRUTH DIMENSIONS l2|ip M EF_CONSTRUCT K
// BASE and QUERIES hold floats, TRUTH the K nearest of each query as 32-bit numbers. Commands, a line each:
//   build          answers: CPU seconds, growth of RssAnon in bytes
//   search EF      answers: CPU seconds of all queries, recall
//   save FILE      answers: 0
//   load FILE      instead of build; answers: 0
#include <hnswlib/hnswlib.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <iostream>
#include <memory>
#include <set>
#include <string>
#include <vector>

template <typename T>
static std::vector<T> Read(const char* path) {
    std::ifstream file(path, std::ios::binary | std::ios::ate);
    if (!file) {
        std::fprintf(stderr, "cannot read %s\n", path);
        std::exit(1);
    }
    std::vector<T> values(file.tellg() / sizeof(T));
    file.seekg(0);
    file.read(reinterpret_cast<char*>(values.data()), values.size() * sizeof(T));
    return values;
}

static double CpuSeconds() {
    timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return time.tv_sec + time.tv_nsec * 1e-9;
}

static long AnonymousBytes() {
    std::ifstream status("/proc/self/status");
    std::string line;
    while (std::getline(status, line)) {
        if (line.rfind("RssAnon:", 0) == 0) return std::atol(line.c_str() + 8) * 1024;
    }
    return 0;
}

int main(int argc, char** argv) {
    if (argc != 9) return 2;
    const std::vector<float> base = Read<float>(argv[1]);
    const std::vector<float> queries = Read<float>(argv[2]);
    const std::vector<int> truth = Read<int>(argv[3]);
    const size_t dimensions = std::atol(argv[4]);
    const size_t m = std::atol(argv[6]), efConstruct = std::atol(argv[7]), k = std::atol(argv[8]);
    std::unique_ptr<hnswlib::SpaceInterface<float>> space;
    if (std::strcmp(argv[5], "l2") == 0) {
        space = std::make_unique<hnswlib::L2Space>(dimensions);
    } else {
        space = std::make_unique<hnswlib::InnerProductSpace>(dimensions);
    }
    const size_t count = base.size() / dimensions, queryCount = queries.size() / dimensions;
    const long before = AnonymousBytes();
    hnswlib::HierarchicalNSW<float> index(space.get(), count, m, efConstruct);
    std::string command;
    while (std::cin >> command) {
        if (command == "build") {
            const double start = CpuSeconds();
            for (size_t i = 0; i < count; i++) index.addPoint(&base[i * dimensions], i);
            std::printf("%.6f %ld\n", CpuSeconds() - start, AnonymousBytes() - before);
        } else if (command == "save" || command == "load") {
            std::string path;
            std::cin >> path;
            if (command == "save") {
                index.saveIndex(path);
            } else {
                index.loadIndex(path, space.get(), count);
            }
            std::printf("0\n");
        } else {
            size_t ef;
            std::cin >> ef;
            index.setEf(ef);
            std::vector<std::vector<size_t>> found(queryCount);
            const double start = CpuSeconds();
            for (size_t i = 0; i < queryCount; i++) {
                auto result = index.searchKnn(&queries[i * dimensions], k);
                found[i].reserve(k);
                for (; !result.empty(); result.pop()) found[i].push_back(result.top().second);
            }
            const double seconds = CpuSeconds() - start;
            size_t hits = 0;
            for (size_t i = 0; i < queryCount; i++) {
                const std::set<int> wanted(truth.begin() + i * k, truth.begin() + (i + 1) * k);
                for (size_t row : found[i]) hits += wanted.count(static_cast<int>(row));
            }
            std::printf("%.6f %.5f\n", seconds, static_cast<double>(hits) / (queryCount * k));
        }
        std::fflush(stdout);
    }
    return 0;
}
