/* The firmware as a process, for demonstrations and tests. A simulated plant is its pins and its clock, over a socket of records on
 * standard input (SOCK_SEQPACKET); each record is answered by one. The serial line is a descriptor that the plant hands over, or, for
 * conversations in virtual time, bytes in the records themselves.
 *
 *   'P' pins key        power on
 *   'T' now pins        a tick
 *   'R' now bytes       these came over the line
 *   'L' [descriptor]    the line is plugged in, or (without one) out
 *   'N' nonce           the nonce from now on, so that a conversation can be repeated to the byte
 *   answer: entry drive, exit drive, signal, turn-back lamp; refused hosts u32, rejected frames u32; bytes for the line
 *
 * Pins are 19 bytes: bolted, wide, clear of the entry, then of the exit; occupancy, object left, fire, mains; the number of crossings,
 * and eight of them (door << 1 | inwards). `now` is milliseconds as u64; numbers are little-endian. */
#define _POSIX_C_SOURCE 200809L

#include "board.h"
#include "firmware.h"
#include "messages.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PLANT = STDIN_FILENO, RECORD = 1 << 16, PINS = 11 + CROSSINGS, ANSWER = 12, TICK_MS = 10 };


static uint8_t record[RECORD], answer[ANSWER + RECORD], pins[PINS], nonce[NONCE_BYTES];
static size_t said, heard_at, heard_end; /* bytes of the answer for the line; those of the record that came over it */
static bool nonce_given;
static int line = -1;
static uint64_t plant_ms, newest_ms;
static struct timespec plant_at;

/* --- the board ----------------------------------------------------------------------------------------------------- */

/* The plant's time; between its ticks the machine's carries on. */
uint64_t board_now_ms(void)
{
    struct timespec now;
    int64_t since;

    clock_gettime(CLOCK_MONOTONIC, &now);
    since = line < 0 ? 0 : (now.tv_sec - plant_at.tv_sec) * 1000 + (now.tv_nsec - plant_at.tv_nsec) / 1000000;
    if (since > TICK_MS)
        since = TICK_MS;
    if (plant_ms + (uint64_t)since > newest_ms)
        newest_ms = plant_ms + (uint64_t)since;
    return newest_ms;
}

void board_read_pins(struct inputs *in)
{
    const uint8_t *leaf = pins, *rest = pins + 6;

    for (enum door door = ENTRY; door < DOORS; door++, leaf += 3)
        in->leaf[door] = (struct leaf_sensors){.bolted = leaf[0], .wide = leaf[1], .clear = leaf[2]};
    in->occupancy = rest[0];
    in->object_left = rest[1];
    in->fire = rest[2];
    in->mains = rest[3];
    in->crossings = rest[4] < CROSSINGS ? rest[4] : CROSSINGS;
    for (size_t i = 0; i < in->crossings; i++)
        in->crossed[i] = (struct crossing){.door = rest[5 + i] & 2 ? EXIT : ENTRY, .inwards = rest[5 + i] & 1};
}

void board_write_pins(const struct outputs *out)
{
    answer[0] = (uint8_t)out->drive[ENTRY];
    answer[1] = (uint8_t)out->drive[EXIT];
    answer[2] = (uint8_t)out->signal;
    answer[3] = out->turn_back;
}

size_t board_read_line(uint8_t *bytes, size_t room)
{
    ssize_t got = 0;

    if (line >= 0) {
        got = read(line, bytes, room);
        return got > 0 ? (size_t)got : 0;
    }
    if (room > heard_end - heard_at)
        room = heard_end - heard_at;
    memcpy(bytes, record + heard_at, room);
    heard_at += room;
    return room;
}

void board_write_line(const uint8_t *bytes, size_t length)
{
    if (line >= 0) {
        if (write(line, bytes, length) < 0)
            return; /* what nobody reads is lost, as on a wire */
    } else if (said + length <= RECORD) {
        memcpy(answer + ANSWER + said, bytes, length);
        said += length;
    }
}

void board_random(uint8_t *bytes, size_t length)
{
    FILE *source = nonce_given ? NULL : fopen("/dev/urandom", "rb");

    if (nonce_given && length == sizeof nonce)
        memcpy(bytes, nonce, length);
    else if (source == NULL || fread(bytes, 1, length, source) != length)
        abort(); /* without chance there is no session */
    if (source != NULL)
        fclose(source);
}

/* --- the plant ----------------------------------------------------------------------------------------------------- */

static void time_is(const uint8_t *now)
{
    plant_ms = get_number(now, 8);
    clock_gettime(CLOCK_MONOTONIC, &plant_at);
}

static void line_is(int descriptor)
{
    if (line >= 0)
        close(line);
    line = descriptor;
}

static bool obey(size_t length, int descriptor)
{
    size_t body = length - 1;

    if (record[0] == 'L') {
        line_is(descriptor);
    } else if (record[0] == 'P' && body > PINS) {
        memcpy(pins, record + 1, PINS);
        plant_ms = newest_ms = 0;
        nonce_given = false;
        memset(answer, 0, ANSWER);
        return firmware_power_on(record + 1 + PINS, body - PINS);
    } else if (record[0] == 'T' && body == 8 + PINS) {
        time_is(record + 1);
        memcpy(pins, record + 9, PINS);
        firmware_tick();
    } else if (record[0] == 'R' && body >= 8) {
        time_is(record + 1);
        heard_at = 9;
        heard_end = length;
        do
            firmware_listen();
        while (line < 0 && heard_at < heard_end);
    } else if (record[0] == 'N' && body == sizeof nonce) {
        memcpy(nonce, record + 1, sizeof nonce);
        nonce_given = true;
    } else {
        return false;
    }
    return true;
}

/* Take a record and answer it; false at the plant's end. */
static bool serve_plant(void)
{
    union {
        struct cmsghdr header; /* aligns the bytes */
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec parts = {.iov_base = record, .iov_len = sizeof record};
    struct msghdr message = {
        .msg_iov = &parts, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    ssize_t length = recvmsg(PLANT, &message, 0);
    struct cmsghdr *rights = length > 0 ? CMSG_FIRSTHDR(&message) : NULL;
    int descriptor = -1;

    if (rights != NULL && rights->cmsg_type == SCM_RIGHTS)
        memcpy(&descriptor, CMSG_DATA(rights), sizeof descriptor);
    said = heard_at = heard_end = 0;
    if (length <= 0 || !obey((size_t)length, descriptor))
        return false;
    put_number(answer + 4, 4, firmware_refused_hosts());
    put_number(answer + 8, 4, firmware_rejected_frames());
    return send(PLANT, answer, ANSWER + said, MSG_NOSIGNAL) >= 0;
}

int main(void)
{
    for (;;) {
        struct pollfd ready[2] = {{.fd = line, .events = POLLIN}, {.fd = PLANT, .events = POLLIN}};

        if (poll(ready, 2, -1) < 0)
            return EXIT_FAILURE;
        if (ready[0].revents & POLLIN)
            firmware_listen();
        else if (ready[0].revents)
            line_is(-1);
        if (ready[1].revents && !serve_plant())
            return EXIT_SUCCESS;
    }
}
