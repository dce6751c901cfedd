//go:build !purego

#include "textflag.h"

DATA ·lanes+0(SB)/8, $0
DATA ·lanes+8(SB)/8, $1
DATA ·lanes+16(SB)/8, $2
DATA ·lanes+24(SB)/8, $3
DATA ·lanes+32(SB)/8, $4
DATA ·lanes+40(SB)/8, $5
DATA ·lanes+48(SB)/8, $6
DATA ·lanes+56(SB)/8, $7
DATA ·lanes+64(SB)/8, $1
GLOBL ·lanes(SB), RODATA|NOPTR, $72

// func substitute512(coefs *uint64, prints *uint32, slots, first int, state *[8]uint64, words *uint64, width, q int, mask uint64)
//
// Z0 state, Z5 the number of a lane's bit in a fingerprint, Z6 one in each lane;
// SI coefs, DI prints, CX slots left, R8 slots left + first, R9 words, R10 bytes of a block
TEXT ·substitute512(SB), NOSPLIT, $0-72
	MOVQ         coefs+0(FP), SI
	MOVQ         prints+8(FP), DI
	MOVQ         slots+16(FP), CX
	MOVQ         first+24(FP), R8
	MOVQ         state+32(FP), AX
	MOVQ         words+40(FP), R9
	MOVQ         width+48(FP), R10
	MOVQ         q+56(FP), BX
	KMOVQ        mask+64(FP), K1
	ADDQ         CX, R8
	SHLQ         $3, R10
	SHLQ         $3, BX
	VMOVDQU64    (AX), Z0
	VPBROADCASTQ BX, Z5
	VPADDQ       ·lanes(SB), Z5, Z5
	VPBROADCASTQ ·lanes+64(SB), Z6

slot:
	VPBROADCASTQ -8(SI)(CX*8), Z1
	VPBROADCASTD -4(DI)(CX*4), Z2
	VPTESTMQ     Z1, Z1, K2           // no fingerprint where there is no equation
	VPSRLVQ      Z5, Z2, K2, Z2
	VPANDQ.Z     Z6, Z2, K2, Z2
	VPADDQ       Z0, Z0, Z0
	VPANDQ       Z1, Z0, Z1
	VPOPCNTQ     Z1, Z1
	VPXORQ       Z2, Z1, Z1
	VPTERNLOGQ   $0xf8, Z6, Z1, Z0    // Z0 |= Z1 & Z6
	DECQ         R8
	TESTQ        $63, R8
	JNZ          next
	MOVQ         R8, BX
	SHRQ         $6, BX
	IMULQ        R10, BX
	VMOVDQU64    Z0, K1, (R9)(BX*1)

next:
	DECQ CX
	JNZ  slot
	VMOVDQU64 Z0, (AX)
	VZEROUPPER
	RET

// func probe512(words *uint64, l *located, count, width int, mask uint64) uint64
//
// SI words, DI equations, R10 bytes of a block, K1 the mask, R12 groups of 8 columns,
// R8 answers, from the highest bit down, CX equations left
TEXT ·probe512(SB), NOSPLIT, $0-48
	MOVQ         words+0(FP), SI
	MOVQ         l+8(FP), DI
	MOVQ         count+16(FP), CX
	MOVQ         width+24(FP), R10
	KMOVQ        mask+32(FP), K1
	VPBROADCASTQ ·lanes+64(SB), Z6
	LEAQ         7(R10), R12
	SHRQ         $3, R12
	SHLQ         $3, R10
	XORL         R8, R8
	CMPQ         R12, $1
	JNE          wide

narrow:
	MOVQ         (DI), AX
	LEAQ         (SI)(AX*8), AX
	VPBROADCASTQ 512(DI), Z1
	VPBROADCASTQ 1024(DI), Z2
	VPANDQ.Z     (AX), Z1, K1, Z1
	VPANDQ.Z     (AX)(R10*1), Z2, K1, Z2
	VPXORQ       Z1, Z2, Z1
	VPOPCNTQ     Z1, Z1
	VPTESTMQ     Z6, Z1, K2
	KMOVB        K2, BX
	XORQ         1536(DI), BX
	SUBQ         $1, BX               // carry if they agree
	RCRQ         $1, R8
	ADDQ         $8, DI
	DECQ         CX
	JNZ          narrow
	JMP          done

wide:
	MOVQ         (DI), AX
	LEAQ         (SI)(AX*8), AX
	VPBROADCASTQ 512(DI), Z1
	VPBROADCASTQ 1024(DI), Z2
	MOVQ         1536(DI), R13
	MOVQ         R12, R11
	XORL         R9, R9

group:
	CMPQ  R11, $1
	JEQ   last
	VPANDQ   (AX), Z1, Z3
	VPANDQ   (AX)(R10*1), Z2, Z4
	VPXORQ   Z3, Z4, Z3
	VPOPCNTQ Z3, Z3
	VPTESTMQ Z6, Z3, K2
	KMOVB    K2, BX
	XORB     R13, BX
	MOVBLZX  BX, BX
	ORQ      BX, R9
	SHRQ     $8, R13
	ADDQ     $64, AX
	DECQ     R11
	JMP      group

last:
	VPANDQ.Z (AX), Z1, K1, Z3
	VPANDQ.Z (AX)(R10*1), Z2, K1, Z4
	VPXORQ   Z3, Z4, Z3
	VPOPCNTQ Z3, Z3
	VPTESTMQ Z6, Z3, K2
	KMOVB    K2, BX
	XORQ     R13, BX
	ORQ      R9, BX
	SUBQ     $1, BX
	RCRQ     $1, R8
	ADDQ     $8, DI
	DECQ     CX
	JNZ      wide

done:
	MOVL $64, CX
	SUBQ count+16(FP), CX
	SHRQ CX, R8
	MOVQ R8, ret+40(FP)
	VZEROUPPER
	RET
