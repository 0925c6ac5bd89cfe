#include "frame.h"

#include <string.h>

/* CRC-16 with the polynomial 0x1021 from 0xFFFF, most significant bit first (CRC-16/IBM-3740). */
static uint16_t crc16(const uint8_t *data, size_t length)
{
    unsigned crc = 0xFFFF;

    for (size_t i = 0; i < length; i++) {
        crc ^= (unsigned)data[i] << 8;
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1;
        crc &= 0xFFFF;
    }
    return (uint16_t)crc;
}

size_t frame_encode(uint16_t sequence, const uint8_t *payload, size_t length, uint8_t *line)
{
    uint8_t body[FRAME_BODY];
    size_t size = 2 + length, code = 0, end = 1;
    uint16_t crc;

    body[0] = (uint8_t)sequence;
    body[1] = (uint8_t)(sequence >> 8);
    memcpy(body + 2, payload, length);
    crc = crc16(body, size);
    body[size++] = (uint8_t)crc;
    body[size++] = (uint8_t)(crc >> 8);
    for (size_t i = 0; i < size; i++) {
        if (body[i] != 0) {
            line[end++] = body[i];
        } else {
            line[code] = (uint8_t)(end - code);
            code = end++;
        }
    }
    line[code] = (uint8_t)(end - code);
    line[end++] = 0;
    return end;
}

/* Undo COBS; the length of the body, 0 where a code points outside. `body` has room for `length` bytes. */
static size_t uncobs(const uint8_t *coded, size_t length, uint8_t *body)
{
    size_t size = 0;

    for (size_t at = 0; at < length;) {
        size_t end = at + coded[at];
        if (end > length)
            return 0;
        memcpy(body + size, coded + at + 1, end - at - 1);
        size += end - at - 1;
        at = end;
        if (at < length)
            body[size++] = 0;
    }
    return size;
}

static bool decode(const struct frame_decoder *decoder, struct frame *frame)
{
    uint8_t body[FRAME_CODED];
    size_t size = decoder->overlong ? 0 : uncobs(decoder->coded, decoder->length, body);

    if (size < 4 || crc16(body, size - 2) != (body[size - 2] | body[size - 1] << 8))
        return false;
    frame->sequence = (uint16_t)(body[0] | body[1] << 8);
    frame->length = size - 4;
    memcpy(frame->payload, body + 2, frame->length);
    return true;
}

bool frame_take(struct frame_decoder *decoder, uint8_t byte, struct frame *frame)
{
    bool idle, whole;

    if (byte != 0) {
        if (decoder->length == FRAME_CODED)
            decoder->overlong = true;
        else
            decoder->coded[decoder->length++] = byte;
        return false;
    }
    idle = decoder->length == 0;
    whole = !idle && decode(decoder, frame);
    if (!idle && !whole)
        decoder->damaged++;
    decoder->length = 0;
    decoder->overlong = false;
    return whole;
}
