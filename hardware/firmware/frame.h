/* Frames on the line: COBS(sequence u16, payload, CRC u16) and a zero byte (docs/gate-link.md, section 2). */
#ifndef GATE_FRAME_H
#define GATE_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    FRAME_BODY = 253, /* sequence, payload, CRC */
    FRAME_PAYLOAD = FRAME_BODY - 4,
    FRAME_CODED = FRAME_BODY + 1, /* COBS adds one byte; the zero behind it is not counted */
};

struct frame {
    uint16_t sequence;
    size_t length;
    uint8_t payload[FRAME_PAYLOAD];
};

struct frame_decoder {
    uint8_t coded[FRAME_CODED];
    size_t length;
    bool overlong;
    uint32_t damaged; /* frames dropped for their coding, their length or their CRC */
};

/* Write the frame and its zero into line[FRAME_CODED + 1]; return its length. `length` is at most FRAME_PAYLOAD. */
size_t frame_encode(uint16_t sequence, const uint8_t *payload, size_t length, uint8_t *line);

/* Take one byte of the line. True where it ends an undamaged frame, which is then in `frame`. */
bool frame_take(struct frame_decoder *decoder, uint8_t byte, struct frame *frame);

#endif
