//go:build !purego

#include "textflag.h"

// Registers of both functions below:
//
//	Z0..Z8    the words of the 72 slots from the current block on, 8 to a register
//	Z9..Z12   the words of the fingerprint's bits, in the same manner
//	Z13       the word of the slot, 8 times; Z14 its lowest bit
//	Z15       the free bits, 8 times
//	Z16       the smallest bit that was ever taken: 0 if there was none
//	Z17       zero
//	Z18..Z24  1..7, 8 times each: what VPERMQ takes to repeat a word of Z0
//	Z25       the bit that a new equation takes
//	SI rows, DI heads, CX blocks left, DX pivots, AX the current row

// ADD sets the bit Z25 of those words of a register to which byte off of the row says so.
#define ADD(off, reg, mask) \
	KMOVB off(AX), mask          \
	VPORQ Z25, reg, mask, reg

// REDUCE adds equation Z14 to all equations of Z13, in the words of one register, and
// stores which words it has as byte off of the pivot.
#define REDUCE(off, reg, mask) \
	VPTESTMQ Z14, reg, mask      \
	KMOVB    mask, off(DX)       \
	VPXORQ   Z13, reg, mask, reg

#define ADDCOEFS \
	VPSUBQ  Z15, Z17, Z25 \
	VPANDQ  Z15, Z25, Z25 \
	VPXORQ  Z25, Z15, Z15 \
	VPMINUQ Z25, Z16, Z16 \
	ADD(0, Z0, K1)        \
	ADD(1, Z1, K2)        \
	ADD(2, Z2, K3)        \
	ADD(3, Z3, K4)        \
	ADD(4, Z4, K5)        \
	ADD(5, Z5, K6)        \
	ADD(6, Z6, K7)        \
	ADD(7, Z7, K1)        \
	ADD(8, Z8, K2)        \
	ADD(9, Z9, K3)

#define ADDPRINTS \
	ADD(10, Z10, K4) \
	ADD(11, Z11, K5) \
	ADD(12, Z12, K6)

// ROOM jumps to crowded if the equations that begin in the block, whose number is in
// the upper half of the head AX, may need more bits than are free.
#define ROOM(crowded) \
	MOVL    (DI), AX     \
	MOVQ    X15, BX      \
	POPCNTQ BX, BX       \
	MOVL    AX, R8       \
	SHRL    $16, R8      \
	CMPL    R8, BX       \
	JHI     crowded      \
	MOVWLZX AX, AX

// INSERT adds the equations of a chain that begins at index AX, from label more on.
#define INSERT(add, more, done) \
	TESTL AX, AX         \
	JZ    done           \
more:                    \
	SHLQ  $4, AX         \
	ADDQ  SI, AX         \
	add                  \
	MOVWLZX 14(AX), AX   \
	TESTL AX, AX         \
	JNZ   more

// INSERTAT adds those of the block's equations that begin in its slot i.
#define INSERTAT(i, add, more, skip, done) \
	MOVWLZX (DI), AX     \
	TESTL AX, AX         \
	JZ    done           \
more:                    \
	SHLQ  $4, AX         \
	ADDQ  SI, AX         \
	CMPB  13(AX), $i     \
	JNE   skip           \
	add                  \
skip:                    \
	MOVWLZX 14(AX), AX   \
	TESTL AX, AX         \
	JNZ   more           \
done:

#define ADDALL \
	ADDCOEFS \
	ADDPRINTS

#define LOWEST \
	VPSUBQ Z13, Z17, Z14 \
	VPANDQ Z13, Z14, Z14 \
	VPORQ  Z14, Z15, Z15

#define PIVOT(off) \
	LOWEST                 \
	REDUCE(off+0, Z0, K1)  \
	REDUCE(off+1, Z1, K2)  \
	REDUCE(off+2, Z2, K3)  \
	REDUCE(off+3, Z3, K4)  \
	REDUCE(off+4, Z4, K5)  \
	REDUCE(off+5, Z5, K6)  \
	REDUCE(off+6, Z6, K7)  \
	REDUCE(off+7, Z7, K1)  \
	REDUCE(off+8, Z8, K2)  \
	REDUCE(off+9, Z9, K3)

#define PIVOT32(off) \
	PIVOT(off)              \
	REDUCE(off+10, Z10, K4) \
	REDUCE(off+11, Z11, K5) \
	REDUCE(off+12, Z12, K6)

#define SETUP \
	MOVQ         rows+0(FP), SI          \
	MOVQ         heads+8(FP), DI         \
	MOVQ         blocks+16(FP), CX       \
	MOVQ         pivots+24(FP), DX       \
	VPXORQ       Z0, Z0, Z0              \
	VPXORQ       Z1, Z1, Z1              \
	VPXORQ       Z2, Z2, Z2              \
	VPXORQ       Z3, Z3, Z3              \
	VPXORQ       Z4, Z4, Z4              \
	VPXORQ       Z5, Z5, Z5              \
	VPXORQ       Z6, Z6, Z6              \
	VPXORQ       Z7, Z7, Z7              \
	VPXORQ       Z8, Z8, Z8              \
	VPXORQ       Z9, Z9, Z9              \
	VPXORQ       Z10, Z10, Z10           \
	VPXORQ       Z11, Z11, Z11           \
	VPXORQ       Z12, Z12, Z12           \
	VPXORQ       Z17, Z17, Z17           \
	VPTERNLOGQ   $0xff, Z15, Z15, Z15    \
	VMOVDQA64    Z15, Z16                \
	VPBROADCASTQ ·numbers+8(SB), Z18     \
	VPBROADCASTQ ·numbers+16(SB), Z19    \
	VPBROADCASTQ ·numbers+24(SB), Z20    \
	VPBROADCASTQ ·numbers+32(SB), Z21    \
	VPBROADCASTQ ·numbers+40(SB), Z22    \
	VPBROADCASTQ ·numbers+48(SB), Z23    \
	VPBROADCASTQ ·numbers+56(SB), Z24

// NEXTBLOCK moves the window of slots on.
#define NEXTBLOCK \
	VMOVDQA64 Z1, Z0     \
	VMOVDQA64 Z2, Z1     \
	VMOVDQA64 Z3, Z2     \
	VMOVDQA64 Z4, Z3     \
	VMOVDQA64 Z5, Z4     \
	VMOVDQA64 Z6, Z5     \
	VMOVDQA64 Z7, Z6     \
	VMOVDQA64 Z8, Z7     \
	VPXORQ    Z8, Z8, Z8 \
	ADDQ      $128, DX   \
	ADDQ      $4, DI

// FINISH turns the pivots of Z0-relative form into coefs and prints, a block at a time:
// even words of the 8 pivots are the lower coefficients, odd words the upper ones with
// the fingerprint.
#define FINISH \
	MOVQ      blocks+16(FP), CX      \
	MOVQ      pivots+24(FP), DX      \
	MOVQ      coefs+32(FP), R8       \
	MOVQ      prints+40(FP), R9      \
	VMOVDQU64 ·evens(SB), Z0         \
	VPTERNLOGQ $0xff, Z1, Z1, Z1     \
	VPSUBQ    Z1, Z0, Z1             \
	VMOVDQU64 ·numbers(SB), Z2       \
	VPBROADCASTQ ·numbers+64(SB), Z3 \
	VPSUBQ    Z2, Z3, Z3

#define FINISHBLOCK \
	VMOVDQU64 (DX), Z4      \
	VMOVDQU64 64(DX), Z5    \
	VMOVDQA64 Z4, Z6        \
	VPERMT2Q  Z5, Z0, Z6    \
	VPERMT2Q  Z5, Z1, Z4    \
	VPSRLVQ   Z2, Z6, Z6    \
	VPSLLVQ   Z3, Z4, Z7    \
	VPORQ     Z6, Z7, Z7    \
	VMOVDQU64 Z7, (R8)      \
	VPSRLQ    $8, Z4, Z4    \
	VPMOVQD   Z4, (R9)      \
	ADDQ      $128, DX      \
	ADDQ      $64, R8       \
	ADDQ      $32, R9

// LEFT reports what is left: fingerprints of equations without coefficients, and whether
// the free bits ran out.
#define LEFT \
	VPTESTMQ  Z9, Z9, K1     \
	KORTESTB  K1, K1         \
	SETNE     contradiction+48(FP) \
	VPTESTNMQ Z16, Z16, K1   \
	KORTESTB  K1, K1         \
	SETNE     lost+49(FP)    \
	VZEROUPPER

DATA ·numbers+0(SB)/8, $0
DATA ·numbers+8(SB)/8, $1
DATA ·numbers+16(SB)/8, $2
DATA ·numbers+24(SB)/8, $3
DATA ·numbers+32(SB)/8, $4
DATA ·numbers+40(SB)/8, $5
DATA ·numbers+48(SB)/8, $6
DATA ·numbers+56(SB)/8, $7
DATA ·numbers+64(SB)/8, $64
GLOBL ·numbers(SB), RODATA|NOPTR, $72

DATA ·evens+0(SB)/8, $0
DATA ·evens+8(SB)/8, $2
DATA ·evens+16(SB)/8, $4
DATA ·evens+24(SB)/8, $6
DATA ·evens+32(SB)/8, $8
DATA ·evens+40(SB)/8, $10
DATA ·evens+48(SB)/8, $12
DATA ·evens+56(SB)/8, $14
GLOBL ·evens(SB), RODATA|NOPTR, $64

// func eliminate512x8(rows *row, heads *uint32, blocks int, pivots *row, coefs *uint64, prints *uint32) (contradiction, lost bool)
TEXT ·eliminate512x8(SB), NOSPLIT, $0-50
	SETUP

block:
	ROOM(crowded)
	INSERT(ADDCOEFS, insert, reduce)

reduce:
	VPBROADCASTQ X0, Z13
	PIVOT(0)
	VPERMQ Z0, Z18, Z13
	PIVOT(16)
	VPERMQ Z0, Z19, Z13
	PIVOT(32)
	VPERMQ Z0, Z20, Z13
	PIVOT(48)
	VPERMQ Z0, Z21, Z13
	PIVOT(64)
	VPERMQ Z0, Z22, Z13
	PIVOT(80)
	VPERMQ Z0, Z23, Z13
	PIVOT(96)
	VPERMQ Z0, Z24, Z13
	PIVOT(112)

next:
	NEXTBLOCK
	DECQ CX
	JNZ  block
	FINISH

finish:
	FINISHBLOCK
	DECQ CX
	JNZ  finish
	LEFT
	RET

crowded:
	INSERTAT(0, ADDCOEFS, more0, skip0, done0)
	VPBROADCASTQ X0, Z13
	PIVOT(0)
	INSERTAT(1, ADDCOEFS, more1, skip1, done1)
	VPERMQ Z0, Z18, Z13
	PIVOT(16)
	INSERTAT(2, ADDCOEFS, more2, skip2, done2)
	VPERMQ Z0, Z19, Z13
	PIVOT(32)
	INSERTAT(3, ADDCOEFS, more3, skip3, done3)
	VPERMQ Z0, Z20, Z13
	PIVOT(48)
	INSERTAT(4, ADDCOEFS, more4, skip4, done4)
	VPERMQ Z0, Z21, Z13
	PIVOT(64)
	INSERTAT(5, ADDCOEFS, more5, skip5, done5)
	VPERMQ Z0, Z22, Z13
	PIVOT(80)
	INSERTAT(6, ADDCOEFS, more6, skip6, done6)
	VPERMQ Z0, Z23, Z13
	PIVOT(96)
	INSERTAT(7, ADDCOEFS, more7, skip7, done7)
	VPERMQ Z0, Z24, Z13
	PIVOT(112)
	JMP next

// func eliminate512x32(rows *row, heads *uint32, blocks int, pivots *row, coefs *uint64, prints *uint32) (contradiction, lost bool)
TEXT ·eliminate512x32(SB), NOSPLIT, $0-50
	SETUP

block:
	ROOM(crowded)
	INSERT(ADDALL, insert, reduce)

reduce:
	VPBROADCASTQ X0, Z13
	PIVOT32(0)
	VPERMQ Z0, Z18, Z13
	PIVOT32(16)
	VPERMQ Z0, Z19, Z13
	PIVOT32(32)
	VPERMQ Z0, Z20, Z13
	PIVOT32(48)
	VPERMQ Z0, Z21, Z13
	PIVOT32(64)
	VPERMQ Z0, Z22, Z13
	PIVOT32(80)
	VPERMQ Z0, Z23, Z13
	PIVOT32(96)
	VPERMQ Z0, Z24, Z13
	PIVOT32(112)

next:
	NEXTBLOCK
	DECQ CX
	JNZ  block
	FINISH

finish:
	FINISHBLOCK
	DECQ CX
	JNZ  finish
	VPORQ Z10, Z9, Z9
	VPORQ Z11, Z9, Z9
	VPORQ Z12, Z9, Z9
	LEFT
	RET

crowded:
	INSERTAT(0, ADDALL, more0, skip0, done0)
	VPBROADCASTQ X0, Z13
	PIVOT32(0)
	INSERTAT(1, ADDALL, more1, skip1, done1)
	VPERMQ Z0, Z18, Z13
	PIVOT32(16)
	INSERTAT(2, ADDALL, more2, skip2, done2)
	VPERMQ Z0, Z19, Z13
	PIVOT32(32)
	INSERTAT(3, ADDALL, more3, skip3, done3)
	VPERMQ Z0, Z20, Z13
	PIVOT32(48)
	INSERTAT(4, ADDALL, more4, skip4, done4)
	VPERMQ Z0, Z21, Z13
	PIVOT32(64)
	INSERTAT(5, ADDALL, more5, skip5, done5)
	VPERMQ Z0, Z22, Z13
	PIVOT32(80)
	INSERTAT(6, ADDALL, more6, skip6, done6)
	VPERMQ Z0, Z23, Z13
	PIVOT32(96)
	INSERTAT(7, ADDALL, more7, skip7, done7)
	VPERMQ Z0, Z24, Z13
	PIVOT32(112)
	JMP next
