#include "channel.h"

#include <string.h>

const char FIRMWARE_NAME[] = "autogate reference firmware 1";

void agreement_derive(const struct link_key *key, const struct agreement *said, const char *label, uint8_t digest[SHA256_BYTES])
{
    static const char PREFIX[] = "autogate link ";
    struct hmac mac;

    hmac_begin(&mac, key->bytes, key->length);
    hmac_add(&mac, PREFIX, sizeof PREFIX - 1);
    hmac_add(&mac, label, strlen(label) + 1); /* its zero is the separator */
    hmac_add(&mac, said->host_nonce, NONCE_BYTES);
    hmac_add(&mac, said->device_nonce, NONCE_BYTES);
    hmac_add(&mac, DICTIONARY, DICTIONARY_BYTES);
    hmac_add(&mac, FIRMWARE_NAME, strlen(FIRMWARE_NAME));
    hmac_end(&mac, digest);
}

void channel_begin(struct channel *channel, const struct link_key *key, const struct agreement *said)
{
    *channel = (struct channel){0};
    agreement_derive(key, said, "session", channel->key);
}

static void mac_of(const struct channel *channel, const char *side, uint64_t number, const uint8_t *message, size_t length,
                   uint8_t digest[SHA256_BYTES])
{
    uint8_t sequence[8];
    struct hmac mac;

    put_number(sequence, sizeof sequence, number);
    hmac_begin(&mac, channel->key, sizeof channel->key);
    hmac_add(&mac, side, strlen(side) + 1);
    hmac_add(&mac, sequence, sizeof sequence);
    hmac_add(&mac, message, length);
    hmac_end(&mac, digest);
}

size_t channel_seal(struct channel *channel, const uint8_t *message, size_t length, uint8_t *line)
{
    uint8_t payload[FRAME_PAYLOAD], digest[SHA256_BYTES];

    channel->sent++;
    mac_of(channel, "device", channel->sent, message, length, digest);
    memcpy(payload, message, length);
    memcpy(payload + length, digest, MAC_BYTES);
    return frame_encode((uint16_t)channel->sent, payload, length + MAC_BYTES, line);
}

size_t channel_open(struct channel *channel, const struct frame *frame)
{
    uint64_t ahead = (frame->sequence - channel->heard) & 0xFFFF; /* sixteen bits on the line stand for sixty-four under the MAC */
    uint64_t number = channel->heard + ahead;
    size_t length = frame->length - MAC_BYTES;
    uint8_t digest[SHA256_BYTES];

    if (frame->length <= MAC_BYTES || ahead == 0 || ahead >= 0x8000)
        return 0;
    mac_of(channel, "host", number, frame->payload, length, digest);
    if (!same_bytes(digest, frame->payload + length, MAC_BYTES))
        return 0;
    channel->heard = number;
    return length;
}
