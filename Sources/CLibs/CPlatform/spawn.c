// For close_range.
#define _GNU_SOURCE
#include "CPlatform.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <unistd.h>

// Between fork and exec only what a signal handler may call: other threads held locks.
pid_t remora_spawn_bound(const char *program, char *const arguments[], char *const environment[], int input, int output,
                         int errors) {
    pid_t parent = getpid();
    pid_t child = fork();
    if (child != 0) return child;

    prctl(PR_SET_PDEATHSIG, SIGTERM);
    // The parent may have gone before it was asked for.
    if (getppid() != parent) _exit(127);
    setpgid(0, 0);
    for (int number = 1; number < NSIG; number++) signal(number, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (input < 0) input = open("/dev/null", O_RDONLY);
    if (input < 0 || dup2(input, 0) < 0 || dup2(output, 1) < 0 || dup2(errors, 2) < 0) _exit(127);
    close_range(3, ~0U, 0);
    execve(program, arguments, environment);
    const char *reason = strerrordesc_np(errno);
    if (reason != NULL && write(2, reason, strlen(reason)) < 0) _exit(126);
    _exit(127);
}

int remora_waiting_bytes(int descriptor) {
    int count = 0;
    return ioctl(descriptor, FIONREAD, &count) == 0 ? count : -1;
}
