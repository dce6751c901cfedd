// Runs the C++ implementation of negentropy over pairs of sets. Beside a clone of
// github.com/hoytech/negentropy at 6edb041, with OpenSSL's headers:
//
//   g++ -std=c++20 -O2 -Wno-deprecated-declarations -Inegentropy/cpp negentropy_original.cpp -lcrypto -o original
//   DWNSYNC_NEGENTROPY=$PWD/original go test -run TestNegentropyIsTheOriginal ./bench/internal/baseline
//
// For each pair on the standard input, until it ends: two counts of 4 bytes, then the
// items of the initiator and of the responder, each a timestamp of 8 bytes and an ID of
// 32; numbers are big-endian. For each pair one line on the standard output: bytes up,
// bytes down, round trips, IDs only here, IDs only there, and the SHA-256 of all messages
// in their order, each behind its length in 4 bytes. Messages have no limit of size. On
// the standard error: CPU time of both sides without the building of the sets.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <vector>

#include <openssl/sha.h>

#include "negentropy.h"
#include "negentropy/storage/Vector.h"

static bool readAll(unsigned char *to, size_t n) { return fread(to, 1, n, stdin) == n; }

static uint64_t number(const unsigned char *b, int n) {
    uint64_t v = 0;
    for (int i = 0; i < n; i++) v = v << 8 | b[i];
    return v;
}

static void fill(negentropy::storage::Vector &set, uint64_t n) {
    unsigned char item[40];
    for (uint64_t i = 0; i < n; i++) {
        if (!readAll(item, sizeof item)) exit(2);
        set.insert(number(item, 8), std::string_view(reinterpret_cast<char *>(item) + 8, 32));
    }
    set.seal();
}

static void hash(SHA256_CTX &sum, const std::string &message) {
    unsigned char size[4];
    for (int i = 0; i < 4; i++) size[i] = message.size() >> (24 - 8 * i);
    SHA256_Update(&sum, size, sizeof size);
    SHA256_Update(&sum, message.data(), message.size());
}

static double cpu() {
    timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

int main() {
    unsigned char counts[8];
    while (readAll(counts, sizeof counts)) {
        negentropy::storage::Vector here, there;
        fill(here, number(counts, 4));
        fill(there, number(counts + 4, 4));
        double start = cpu();
        Negentropy initiator(here, 0), responder(there, 0);
        SHA256_CTX sum;
        SHA256_Init(&sum);
        std::vector<std::string> have, need;
        unsigned long up = 0, down = 0, rounds = 0;
        std::optional<std::string> query = initiator.initiate();
        while (query) {
            hash(sum, *query);
            up += query->size();
            std::string reply = responder.reconcile(*query);
            hash(sum, reply);
            down += reply.size();
            rounds++;
            query = initiator.reconcile(reply, have, need);
        }
        double took = cpu() - start;
        unsigned char digest[32];
        SHA256_Final(digest, &sum);
        printf("%lu %lu %lu %zu %zu ", up, down, rounds, have.size(), need.size());
        for (unsigned char b : digest) printf("%02x", b);
        printf("\n");
        fprintf(stderr, "%.3f ms\n", took);
    }
    return 0;
}
