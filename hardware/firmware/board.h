/* What a board has to offer: a clock, pins, a line, chance. All the firmware knows of the world. None of these blocks. */
#ifndef GATE_BOARD_H
#define GATE_BOARD_H

#include "interlock.h"

/* Milliseconds since power-on; never goes back. */
uint64_t board_now_ms(void);

/* The sensors at this moment, and who crossed a threshold since the last call. */
void board_read_pins(struct inputs *in);

/* Drives and lamps. They keep their last order until the next; a watchdog of the board's cuts the drives where none comes. */
void board_write_pins(const struct outputs *out);

/* Up to `room` bytes that came over the line; 0 where none did. */
size_t board_read_line(uint8_t *bytes, size_t room);

/* Send; what the line does not take is lost. */
void board_write_line(const uint8_t *bytes, size_t length);

/* Bytes that nobody can foretell (a hardware source of randomness). */
void board_random(uint8_t *bytes, size_t length);

#endif
