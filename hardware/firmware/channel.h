/* The sealed directions of one session (docs/gate-link.md, section 5). */
#ifndef GATE_CHANNEL_H
#define GATE_CHANNEL_H

#include "frame.h"
#include "messages.h"
#include "sha256.h"

/* What both ends said in the clear while connecting. */
struct agreement {
    uint8_t host_nonce[NONCE_BYTES], device_nonce[NONCE_BYTES];
};

/* The link key, as HMAC takes it: never longer than a block. */
struct link_key {
    size_t length;
    uint8_t bytes[SHA256_BLOCK];
};

struct channel {
    uint8_t key[SHA256_BYTES];
    uint64_t sent, heard; /* sequence numbers, from 1 */
    uint32_t rejected;
};

/* HMAC of the link key over "autogate link ", `label`, a zero and the transcript. */
void agreement_derive(const struct link_key *key, const struct agreement *said, const char *label, uint8_t digest[SHA256_BYTES]);

void channel_begin(struct channel *channel, const struct link_key *key, const struct agreement *said);

/* Write the sealed frame into line[FRAME_CODED + 1]; its length. `length` is at most FRAME_PAYLOAD - MAC_BYTES. */
size_t channel_seal(struct channel *channel, const uint8_t *message, size_t length, uint8_t *line);

/* The length of the message in `frame`; 0 where it is not the host's, or not newer than the last one. */
size_t channel_open(struct channel *channel, const struct frame *frame);

extern const char FIRMWARE_NAME[];

#endif
