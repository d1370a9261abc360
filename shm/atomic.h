/*
 * atomic.h - how words in shared memory are read and written.
 *
 * Against SIGKILL only program order matters: a retired store is never lost,
 * because the memory outlives the process.  So the words whose order counts go
 * through shm_store(), which the compiler may neither move nor tear.  Fences
 * are for concurrent readers alone.
 *
 * liburcu gives the barriers and the compare-and-swap; ThreadSanitizer does
 * not know them, so under it the same names are C11 atomics.
 */
#ifndef SHM_ATOMIC_H
#define SHM_ATOMIC_H

#include "shm/base.h"

#ifdef __SANITIZE_THREAD__
#define SHM_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SHM_TSAN 1
#endif
#endif

#ifndef SHM_TSAN
#include <urcu/arch.h>
#include <urcu/compiler.h>
#include <urcu/system.h>
#include <urcu/uatomic.h>

/* compiler barrier: enough between two stores of one writer against a kill */
#define shm_barrier() cmm_barrier()
#define shm_wmb()     cmm_smp_wmb()
#define shm_rmb()     cmm_smp_rmb()
#define shm_mb()      cmm_smp_mb()

/* one untorn load or store, kept in program order by the compiler */
#define shm_load(p) CMM_ACCESS_ONCE(*(p))
#define shm_store(p, v)                      \
	do {                                 \
		cmm_barrier();               \
		CMM_ACCESS_ONCE(*(p)) = (v); \
		cmm_barrier();               \
	} while (0)

#define shm_load_acquire(p)                                      \
	({                                                       \
		__typeof__(*(p) + 0) v_ = CMM_ACCESS_ONCE(*(p)); \
		cmm_smp_rmb();                                   \
		v_;                                              \
	})
#define shm_store_release(p, v)              \
	do {                                 \
		cmm_smp_wmb();               \
		CMM_ACCESS_ONCE(*(p)) = (v); \
		cmm_barrier();               \
	} while (0)

/* returns the value found; full barrier */
#define shm_cas(p, old, new) uatomic_cmpxchg((p), (old), (new))
#define shm_xchg(p, v)       uatomic_xchg((p), (v))
#define shm_add(p, v)        uatomic_add_return((p), (v))

#else
#define shm_barrier() __atomic_signal_fence(__ATOMIC_SEQ_CST)
#define shm_wmb()     __atomic_thread_fence(__ATOMIC_RELEASE)
#define shm_rmb()     __atomic_thread_fence(__ATOMIC_ACQUIRE)
#define shm_mb()      __atomic_thread_fence(__ATOMIC_SEQ_CST)
#define shm_load(p)   __atomic_load_n((p), __ATOMIC_RELAXED)
#define shm_store(p, v) \
	__atomic_store_n((p), (__typeof__(*(p) + 0))(v), __ATOMIC_RELAXED)
#define shm_load_acquire(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define shm_store_release(p, v) \
	__atomic_store_n((p), (__typeof__(*(p) + 0))(v), __ATOMIC_RELEASE)
#define shm_cas(p, old, new)                                      \
	({                                                        \
		__typeof__(*(p) + 0) o_ = (old);                  \
		__atomic_compare_exchange_n(                      \
			(p), &o_, (__typeof__(*(p) + 0))(new), 0, \
			__ATOMIC_SEQ_CST, __ATOMIC_RELAXED);      \
		o_;                                               \
	})
#define shm_xchg(p, v) __atomic_exchange_n((p), (v), __ATOMIC_SEQ_CST)
#define shm_add(p, v)  __atomic_add_fetch((p), (v), __ATOMIC_SEQ_CST)
#endif

/* says to the processor that this is a spin loop */
static inline void shm_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#endif
}

#endif
