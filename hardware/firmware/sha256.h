/* SHA-256 (FIPS 180-4), HMAC over it (RFC 2104), and a comparison that takes the same time wherever two strings differ. */
#ifndef GATE_SHA256_H
#define GATE_SHA256_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SHA256_BYTES = 32, SHA256_BLOCK = 64 };

struct sha256 {
    uint32_t state[8];
    uint8_t block[SHA256_BLOCK];
    uint64_t length; /* bytes so far */
};

void sha256_begin(struct sha256 *hash);
void sha256_add(struct sha256 *hash, const void *data, size_t length);
void sha256_end(struct sha256 *hash, uint8_t digest[SHA256_BYTES]);

struct hmac {
    struct sha256 inner;
    uint8_t outer_key[SHA256_BLOCK];
};

void hmac_begin(struct hmac *mac, const uint8_t *key, size_t length);
void hmac_add(struct hmac *mac, const void *data, size_t length);
void hmac_end(struct hmac *mac, uint8_t digest[SHA256_BYTES]);

bool same_bytes(const uint8_t *one, const uint8_t *other, size_t length);

#endif
