/** System calls that a container of a lease may make, by what they are for. Everything else fails with EPERM. */
const allowed = {
  files: `access chdir chmod chown chown32 close close_range copy_file_range creat dup dup2 dup3 faccessat faccessat2
    fadvise64 fadvise64_64 fallocate fchdir fchmod fchmodat fchmodat2 fchown fchown32 fchownat fcntl fcntl64 fdatasync
    fgetxattr flistxattr flock fremovexattr fsetxattr fstat fstat64 fstatat64 fstatfs fstatfs64 fsync ftruncate
    ftruncate64 futimesat getcwd getdents getdents64 getxattr inotify_add_watch inotify_init inotify_init1
    inotify_rm_watch ioctl lchown lchown32 lgetxattr link linkat listxattr llistxattr _llseek lremovexattr lseek
    lsetxattr lstat lstat64 mkdir mkdirat mknod mknodat newfstatat open openat openat2 pread64 preadv preadv2 pwrite64
    pwritev pwritev2 read readahead readlink readlinkat readv removexattr rename renameat renameat2 rmdir sendfile
    sendfile64 setxattr splice stat stat64 statfs statfs64 statx symlink symlinkat sync sync_file_range
    sync_file_range2 syncfs tee truncate truncate64 umask unlink unlinkat utime utimensat utimensat_time64 utimes
    vmsplice write writev cachestat`,
  // The older asynchronous input and output; io_uring stays closed.
  asynchronous: `io_cancel io_destroy io_getevents io_pgetevents io_pgetevents_time64 io_setup io_submit`,
  memory: `brk get_mempolicy madvise mbind membarrier memfd_create mincore mlock mlock2 mlockall mmap mmap2 mprotect
    mremap mseal msync munlock munlockall munmap pkey_alloc pkey_free pkey_mprotect remap_file_pages set_mempolicy
    set_mempolicy_home_node map_shadow_stack`,
  processes: `arch_prctl capget capset cacheflush execve execveat exit exit_group fork get_robust_list get_thread_area
    getcpu getpgid getpgrp getpid getppid getpriority getrlimit getrusage getsid gettid ioprio_get ioprio_set kill
    modify_ldt pause pidfd_open pidfd_send_signal prctl prlimit64 ptrace process_mrelease process_vm_readv
    process_vm_writev rseq sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr sched_getparam
    sched_getscheduler sched_rr_get_interval sched_rr_get_interval_time64 sched_setaffinity sched_setattr
    sched_setparam sched_setscheduler sched_yield set_robust_list set_thread_area set_tid_address set_tls setitimer
    getitimer setpgid setpriority setrlimit setsid sysinfo tgkill tkill ugetrlimit uname vfork wait4 waitid waitpid`,
  users: `getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32 getresgid getresgid32 getresuid
    getresuid32 getuid getuid32 setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32 setgroups setgroups32 setregid
    setregid32 setresgid setresgid32 setresuid setresuid32 setreuid setreuid32 setuid setuid32`,
  signals: `restart_syscall rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend
    rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo sigaltstack signalfd signalfd4 sigprocmask sigreturn`,
  waiting: `_newselect epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait
    epoll_wait_old eventfd eventfd2 futex futex_time64 futex_waitv futex_wait futex_wake futex_requeue poll ppoll
    ppoll_time64 pselect6 pselect6_time64 select`,
  time: `alarm clock_getres clock_getres_time64 clock_gettime clock_gettime64 clock_nanosleep clock_nanosleep_time64
    gettimeofday nanosleep time timer_create timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime
    timer_settime64 timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64 times`,
  network: `accept accept4 bind connect getpeername getsockname getsockopt listen recv recvfrom recvmmsg
    recvmmsg_time64 recvmsg send sendmmsg sendmsg sendto setsockopt shutdown socketpair`,
  communication: `ipc mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend
    mq_timedsend_time64 mq_unlink msgctl msgget msgrcv msgsnd pipe pipe2 semctl semget semop semtimedop
    semtimedop_time64 shmat shmctl shmdt shmget`,
  confinement: `landlock_add_rule landlock_create_ruleset landlock_restrict_self seccomp getrandom`,
};

const vsock = 40;
/** Every flag of `clone` that makes a namespace. */
const namespaceFlags = 0x7e02_0000;
/** Linux, the 32-bit one, the query, and both with addresses that are not random. */
const personalities = [0x0, 0x8, 0xffff_ffff, 0x2_0000, 0x2_0008];

const allow = "SCMP_ACT_ALLOW";
const argument = (index: number, value: number, op: string, valueTwo = 0) => ({ index, value, valueTwo, op });

/**
 * The filter of system calls of every container, as the engine takes it: closed are io_uring, sockets to the hypervisor,
 * keyrings, namespaces, mounts, tracing of the kernel and every call that is not listed.
 */
export const seccompProfile = JSON.stringify({
  defaultAction: "SCMP_ACT_ERRNO",
  archMap: [
    { architecture: "SCMP_ARCH_X86_64", subArchitectures: ["SCMP_ARCH_X86", "SCMP_ARCH_X32"] },
    { architecture: "SCMP_ARCH_AARCH64", subArchitectures: ["SCMP_ARCH_ARM"] },
  ],
  syscalls: [
    ...Object.values(allowed).map((names) => ({ names: names.split(/\s+/), action: allow })),
    { names: ["socket"], action: allow, args: [argument(0, vsock, "SCMP_CMP_NE")] },
    { names: ["clone"], action: allow, args: [argument(0, namespaceFlags, "SCMP_CMP_MASKED_EQ")] },
    // Its flags are in memory, which no filter reads. Programs use clone without it.
    { names: ["clone3"], action: "SCMP_ACT_ERRNO", errnoRet: 38 },
    ...personalities.map((value) => ({
      names: ["personality"],
      action: allow,
      args: [argument(0, value, "SCMP_CMP_EQ")],
    })),
  ],
});
