/*
 * The outside world, under our thumb: system calls that fail when they are told to, and signals
 * at exact instants.
 *
 * The program under test is the shipped binary, and it may make system calls without the C library.
 * So nothing is interposed by name.  A seccomp filter has the kernel raise SIGSYS for the watched
 * calls, wherever they are made; the handler either makes the call itself, from the one instruction
 * that the filter lets pass, or returns the error that is planned.
 *
 * An error that says "not now" is a promise of the kernel: who registered for edges gets one once
 * the state changes.  After a planned EAGAIN the handler therefore tells epoll the registration anew,
 * which reports again what is the case already.  Without this the fault would be one that no
 * kernel has.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#ifndef __x86_64__
#error "written for x86-64"
#endif

#define CALLS 512
#define DESCRIPTORS 4096
#define WATCHED_AT_MOST 64

/* long outside_call(long nr, long a, long b, long c, long d, long e, long f) */
extern long outside_call(long, long, long, long, long, long, long);
extern char outside_call_end[];
__asm__(
    ".text\n"
    ".globl outside_call\n"
    ".type outside_call, @function\n"
    "outside_call:\n"
    "  mov %rdi, %rax\n"
    "  mov %rsi, %rdi\n"
    "  mov %rdx, %rsi\n"
    "  mov %rcx, %rdx\n"
    "  mov %r8, %r10\n"
    "  mov %r9, %r8\n"
    "  mov 8(%rsp), %r9\n"
    "  syscall\n"
    ".globl outside_call_end\n"
    "outside_call_end:\n"
    "  ret\n");

static volatile long counts[CALLS];
static volatile long planned_call = -1;
static volatile long planned_error;
static volatile long planned_from;
static volatile long planned_times;
static volatile long injected;

struct registration {
    int epoll;
    struct epoll_event event;
};
static struct registration registrations[DESCRIPTORS];

static void remember(int epoll, int operation, long fd, const struct epoll_event *event) {
    if (fd < 0 || fd >= DESCRIPTORS)
        return;
    if (operation == EPOLL_CTL_DEL) {
        registrations[fd].event.events = 0;
    } else if (event != NULL) {
        registrations[fd].epoll = epoll;
        registrations[fd].event = *event;
    }
}

static void announce_again(long fd) {
    if (fd < 0 || fd >= DESCRIPTORS || registrations[fd].event.events == 0)
        return;
    struct epoll_event event = registrations[fd].event;
    outside_call(SYS_epoll_ctl, registrations[fd].epoll, EPOLL_CTL_MOD, fd, (long)&event, 0, 0);
}

static void on_call(int number, siginfo_t *info, void *context) {
    (void)number;
    greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;
    long nr = info->si_syscall;
    long count = nr >= 0 && nr < CALLS ? __sync_add_and_fetch(&counts[nr], 1) : 0;
    long late = count - planned_from;
    if (nr == planned_call && late >= 0 && late < planned_times) {
        __sync_add_and_fetch(&injected, 1);
        if (planned_error == EAGAIN)
            announce_again(regs[REG_RDI]);
        if (nr == SYS_close) /* frees the number whatever it says */
            outside_call(nr, regs[REG_RDI], 0, 0, 0, 0, 0);
        regs[REG_RAX] = -planned_error;
        return;
    }
    long result = outside_call(nr, regs[REG_RDI], regs[REG_RSI], regs[REG_RDX], regs[REG_R10],
                               regs[REG_R8], regs[REG_R9]);
    if (nr == SYS_epoll_ctl && result == 0)
        remember((int)regs[REG_RDI], (int)regs[REG_RSI], regs[REG_RDX],
                 (const struct epoll_event *)regs[REG_R10]);
    regs[REG_RAX] = result;
}

/* Watches the given calls from now on, in all threads; there is no way back. 0, or an errno. */
int outside_watch(const int *calls, int count) {
    struct sock_filter code[WATCHED_AT_MOST + 8];
    uint64_t pass = (uint64_t)(uintptr_t)outside_call_end;
    int at = 0;
    if (count > WATCHED_AT_MOST)
        return EINVAL;
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = on_call;
    action.sa_flags = SA_SIGINFO | SA_NODEFER | SA_RESTART;
    if (sigaction(SIGSYS, &action, NULL) != 0)
        return errno;
    code[at++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                                              offsetof(struct seccomp_data, instruction_pointer));
    code[at++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)pass, 0, 3);
    code[at++] = (struct sock_filter)BPF_STMT(
        BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, instruction_pointer) + 4);
    code[at++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(pass >> 32), 0, 1);
    code[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    code[at++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                                              offsetof(struct seccomp_data, nr));
    for (int i = 0; i < count; i++)
        code[at++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)calls[i],
                                                  (uint8_t)(count - i), 0);
    code[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    code[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP);
    struct sock_fprog program = {(unsigned short)at, code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return errno;
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) != 0)
        return errno;
    return 0;
}

/* Lets the calls from the `from`th of its kind on fail, `times` of them; counts all anew. */
void outside_plan(long call, long from, long times, long error) {
    planned_call = -1;
    memset((void *)counts, 0, sizeof counts);
    injected = 0;
    planned_from = from;
    planned_times = times;
    planned_error = error;
    planned_call = call;
}

/* How often a call was made since the last plan. */
long outside_count(long call) { return call >= 0 && call < CALLS ? counts[call] : 0; }

/* How many calls have failed by plan; the plan ends. */
long outside_injected(void) {
    planned_call = -1;
    return injected;
}

static timer_t alarm_clock;
static int alarm_signal;

/* Has the kernel send `number` to this process in so many nanoseconds; 0 takes it back. */
int outside_signal(int number, long nanoseconds) {
    if (alarm_signal != number) {
        struct sigevent event;
        memset(&event, 0, sizeof event);
        event.sigev_notify = SIGEV_SIGNAL;
        event.sigev_signo = number;
        if (timer_create(CLOCK_MONOTONIC, &event, &alarm_clock) != 0)
            return errno;
        alarm_signal = number;
    }
    struct itimerspec when;
    memset(&when, 0, sizeof when);
    when.it_value.tv_sec = nanoseconds / 1000000000;
    when.it_value.tv_nsec = nanoseconds % 1000000000;
    return timer_settime(alarm_clock, 0, &when, NULL) == 0 ? 0 : errno;
}
