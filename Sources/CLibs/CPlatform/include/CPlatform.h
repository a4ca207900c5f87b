#pragma once

#include "crc64.h"

#include <sys/types.h>

/// Tunes glibc's allocator for a process that reads large replies again and again.
///
/// Without it each reply buffer is mapped and unmapped, and the page faults cost more than the reading
/// (measured: 1.2 CPU seconds per GB against 0.25).
void remora_tune_allocator(void);

/// Gives memory that nobody uses back to the system.
///
/// The tuned allocator keeps what a job needed for the next one; a process that will be idle for hours should not.
void remora_release_memory(void);

/// Has what is written to a file go past the page cache, or through it again: `O_DIRECT`, which glibc's headers hide
/// from Swift.
///
/// Returns 0, or -1 with `errno`: EINVAL where the file system can't. What is written past the cache must lie and be
/// placed at multiples of the device's block (4096 covers all).
int remora_bypass_cache(int descriptor, int bypasses);

/// Renames a file unless something has the new name: `renameat2` with `RENAME_NOREPLACE`, which glibc's headers hide
/// from Swift.
///
/// Returns 0, or -1 with `errno`: EEXIST when the name is taken, EINVAL or ENOSYS where the file system can't.
int remora_rename_new(const char *from, const char *to);

/// Starts a program that the kernel ends (SIGTERM) when the calling *thread* ends, however it does.
///
/// So the thread that calls this must live as long as the program. The program gets a process group of its own: Ctrl-C
/// on a terminal doesn't reach it. It has no descriptors but these three: it reads `input`, or nothing if that is negative.
///
/// Returns its process id, or -1 with `errno`. If the program can't be run, the child says why on `errors` and returns 127.
pid_t remora_spawn_bound(const char *program, char *const arguments[], char *const environment[], int input, int output,
                         int errors);

/// Blocks SIGTERM, SIGINT and SIGCHLD for the calling thread, and gives a descriptor from which they are read instead:
/// `signalfd`, which glibc's headers hide from Swift.
///
/// To be called before any other thread is there, because it would still take them. Returns -1 with `errno`. The
/// descriptor doesn't block and is closed on exec.
int remora_signal_descriptor(void);

/// Reads one signal from that descriptor; 0 when there is none.
int remora_next_signal(int descriptor);

/// Bytes that wait in a pipe: `FIONREAD`, which is variadic. Returns -1 with `errno`.
int remora_waiting_bytes(int descriptor);
