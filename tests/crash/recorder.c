/* Records what a process does to the files of one folder, for tests/crash/test_power_cut.py.

   Loaded with LD_PRELOAD. Every write, truncation, sync and removal of a file below
   RECORD_FOLDER is appended to RECORD_LOG, in the order in which it happened:

       operation (1 byte) · length of the path (2) · offset (8) · length of the data (8)
       · path · data

   A write is noted and done under one lock. A sync is noted when it begins: what was written
   before that is on disk when it returns, and whoever relies on it acts after that. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int record_fd = -1;

/* `syscall` is recorded too, so what is done here goes past it. */
static long real_syscall(long number, ...) {
    static long (*real)(long, ...);
    if (!real) real = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
    va_list rest;
    va_start(rest, number);
    long a = va_arg(rest, long), b = va_arg(rest, long), c = va_arg(rest, long);
    long d = va_arg(rest, long), e = va_arg(rest, long), f = va_arg(rest, long);
    va_end(rest);
    return real(number, a, b, c, d, e, f);
}

static void put(const void *bytes, size_t size) {
    const char *at = bytes;
    while (size > 0) {
        ssize_t done = real_syscall(SYS_write, record_fd, at, size);
        if (done <= 0) abort();
        at += done;
        size -= (size_t)done;
    }
}

static void note_path(char operation, const char *path, int64_t offset, const void *data,
                      int64_t size) {
    if (record_fd < 0) {
        record_fd = open(getenv("RECORD_LOG"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        if (record_fd < 0) abort();
    }
    uint16_t path_size = (uint16_t)strlen(path);
    int64_t data_size = data ? size : 0;
    put(&operation, 1);
    put(&path_size, 2);
    put(&offset, 8);
    put(&data_size, 8);
    put(path, path_size);
    if (data_size) put(data, (size_t)data_size);
}

static int ours(const char *path) {
    const char *folder = getenv("RECORD_FOLDER");
    return folder && strncmp(path, folder, strlen(folder)) == 0;
}

static int path_of(int fd, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, PATH_MAX - 1);
    if (size <= 0) return 0;
    path[size] = 0;
    return ours(path);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset) {
    char path[PATH_MAX];
    if (!path_of(fd, path)) return real_syscall(SYS_pwrite64, fd, data, size, offset);
    pthread_mutex_lock(&lock);
    ssize_t done = real_syscall(SYS_pwrite64, fd, data, size, offset);
    if (done > 0) note_path('w', path, offset, data, done);
    pthread_mutex_unlock(&lock);
    return done;
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset) {
    return pwrite(fd, data, size, offset);
}

ssize_t write(int fd, const void *data, size_t size) {
    char path[PATH_MAX];
    if (!path_of(fd, path)) return real_syscall(SYS_write, fd, data, size);
    pthread_mutex_lock(&lock);
    off_t offset = lseek(fd, 0, SEEK_CUR);
    ssize_t done = real_syscall(SYS_write, fd, data, size);
    if (done > 0) note_path('w', path, offset, data, done);
    pthread_mutex_unlock(&lock);
    return done;
}

int ftruncate(int fd, off_t size) {
    char path[PATH_MAX];
    if (!path_of(fd, path)) return (int)real_syscall(SYS_ftruncate, fd, size);
    pthread_mutex_lock(&lock);
    int done = (int)real_syscall(SYS_ftruncate, fd, size);
    if (done == 0) note_path('t', path, size, NULL, 0);
    pthread_mutex_unlock(&lock);
    return done;
}

int ftruncate64(int fd, off64_t size) { return ftruncate(fd, size); }

static void note_sync(int fd) {
    char path[PATH_MAX];
    if (!path_of(fd, path)) return;
    pthread_mutex_lock(&lock);
    note_path('s', path, 0, NULL, 0);
    pthread_mutex_unlock(&lock);
}

int fsync(int fd) {
    note_sync(fd);
    return (int)real_syscall(SYS_fsync, fd);
}

int fdatasync(int fd) {
    note_sync(fd);
    return (int)real_syscall(SYS_fdatasync, fd);
}

int unlink(const char *path) {
    pthread_mutex_lock(&lock);
    int done = (int)real_syscall(SYS_unlinkat, AT_FDCWD, path, 0);
    if (done == 0 && ours(path)) note_path('u', path, 0, NULL, 0);
    pthread_mutex_unlock(&lock);
    return done;
}

/* A sync that the kernel is asked for begins when it is submitted. */
long syscall(long number, ...) {
    va_list rest;
    va_start(rest, number);
    long a = va_arg(rest, long), b = va_arg(rest, long), c = va_arg(rest, long);
    long d = va_arg(rest, long), e = va_arg(rest, long), f = va_arg(rest, long);
    va_end(rest);
    if (number == SYS_io_submit)
        for (long n = 0; n < b; n++) {
            struct iocb *request = ((struct iocb **)c)[n];
            if (request->aio_lio_opcode == IOCB_CMD_FDSYNC) note_sync((int)request->aio_fildes);
        }
    return real_syscall(number, a, b, c, d, e, f);
}
