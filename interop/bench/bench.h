/* What the parts of the driver share. */
#ifndef BENCH_H
#define BENCH_H

#include <stddef.h>

/*
 * One kind of work. `prepare` lays out fresh input of `len` bytes (for works that have a length) in
 * `buffer`; `once` does the work and leaves what came out in `result`.
 */
struct work {
    const char *name;
    void (*prepare)(size_t len);
    void (*once)(void);
};

/* Both tables end with a name of NULL. */
extern const struct work crypto_works[], tls_works[];

/* Where works on bytes find their input, and have room for a tag behind it. */
enum { MAX_LEN = 16384, TAG_LEN = 16 };
extern unsigned char buffer[MAX_LEN + TAG_LEN];

/* What came out of the last work. */
extern const unsigned char *result;
extern size_t result_len;

/* From the command line. */
extern struct setting {
    const char *certificates;
    unsigned char secret[32], public[65], signature[72];
    size_t signature_len;
} setting;

/* The same input everywhere: byte i of a plaintext is i mod 256. */
void fill(size_t len);

/* Ends the process, with the library's own words on stderr. */
void die(const char *what);

#define MUST(call) do { if ((call) <= 0) die(#call); } while (0)

#endif
