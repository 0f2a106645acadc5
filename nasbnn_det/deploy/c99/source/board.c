/* Starts main on QEMU's MPS2 boards and measures what lies between begin_measuring and end_measuring: instructions, by a
 * timer that counts 25 million ticks a second while `-icount shift=0` lets the emulator's clock advance a nanosecond an
 * instruction; and the stack, by what is left of a pattern. */
#include <stdint.h>

int main(void);
void begin_measuring(void);
void end_measuring(void);
void reset(void);

extern uint32_t data_load[], data_begin[], data_end[], bss_begin[], bss_end[], stack_limit[], stack_top[];

struct timer {
  volatile uint32_t control, value, reload, interrupt;
};

#define TIMER ((struct timer *)0x40000000u)
#define INSTRUCTIONS_PER_TICK 40u
#define PATTERN 0xa5a5a5a5u

static uint32_t *painted_to;

static void write_text(const char *text)
{
  register uint32_t r0 __asm__("r0") = 0x04;
  register const char *r1 __asm__("r1") = text;
  __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
}

static void write_number(const char *name, uint64_t number)
{
  char text[22];
  char *at = text + sizeof text;
  *--at = 0;
  *--at = '\n';
  do *--at = (char)('0' + number % 10);
  while (number /= 10);
  write_text(name);
  write_text(at);
}

void begin_measuring(void)
{
  uint32_t *at;
  painted_to = (uint32_t *)__builtin_frame_address(0) - 32;
  for (at = stack_limit; at < painted_to; ++at) *at = PATTERN;
  TIMER->reload = 0xffffffffu;
  TIMER->value = 0xffffffffu;
  TIMER->control = 1;
}

void end_measuring(void)
{
  const uint32_t ticks = 0xffffffffu - TIMER->value;
  const uint32_t *at = stack_limit;
  while (at < painted_to && *at == PATTERN) ++at;
  write_number("instructions ", (uint64_t)ticks * INSTRUCTIONS_PER_TICK);
  write_number("stack ", (uint64_t)((const char *)stack_top - (const char *)at));
}

void reset(void)
{
  uint32_t *to = data_begin;
  const uint32_t *from = data_load;
  *(volatile uint32_t *)0xe000ed88u |= 0xfu << 20; /* the floating-point unit is on */
  __asm__ volatile("dsb\n\tisb" ::: "memory");
  while (to < data_end) *to++ = *from++;
  for (to = bss_begin; to < bss_end;) *to++ = 0;
  main();
  for (;;) {}
}

static void fault(void)
{
  const uint32_t failed[2] = {0x20026, 3};
  register uint32_t r0 __asm__("r0") = 0x20;
  register const uint32_t *r1 __asm__("r1") = failed;
  write_text("fault\n");
  __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
  for (;;) {}
}

__attribute__((section(".vectors"), used)) static const struct {
  uint32_t *stack;
  void (*handlers[6])(void);
} vectors = {stack_top, {reset, fault, fault, fault, fault, fault}};
