//go:build !purego

#include "textflag.h"

// EQUATION computes start Z4, coef Z5 and print Z6 of function equation for the mixed
// keys Z0 of shards that have Z3 slots, from the product Z4 of hash and factor. It
// uses Z7; Z24..Z28 are as CONSTANTS leaves them.
#define EQUATION \
	VPSRLQ   $32, Z4, Z5   \
	VPXORQ   Z5, Z4, Z6    \
	VPMULUDQ Z3, Z5, Z4    \
	VPSRLQ   $32, Z4, Z4   \
	VPSUBQ   Z24, Z4, Z4   \
	VPSUBQ   Z25, Z3, Z5   \
	VPMINSQ  Z5, Z4, Z4    \
	VPMAXSQ  Z26, Z4, Z4   \
	VPMULLQ  Z27, Z6, Z5   \
	VPSRLQ   $32, Z5, Z6   \
	VPXORQ   Z6, Z5, Z5    \
	VPMULLQ  Z28, Z5, Z6   \
	VPMINSQ  Z25, Z3, Z7   \
	VPSUBQ   Z7, Z25, Z7   \
	VPSRLVQ  Z7, Z5, Z5

#define CONSTANTS \
	VPBROADCASTQ ·constants+0(SB), Z24  \
	VPBROADCASTQ ·constants+8(SB), Z25  \
	VPXORQ       Z26, Z26, Z26          \
	VPBROADCASTQ ·constants+16(SB), Z27 \
	VPBROADCASTQ ·constants+24(SB), Z28

// The constants of hash.go.
DATA ·constants+0(SB)/8, $30
DATA ·constants+8(SB)/8, $64
DATA ·constants+16(SB)/8, $0xc28f82822b650bed
DATA ·constants+24(SB)/8, $0x9fb21c651e98df25
DATA ·constants+32(SB)/8, $0xd6e8feb86659fd93
DATA ·constants+40(SB)/8, $0xa0761d6478bd642e
DATA ·constants+48(SB)/8, $0x9e3779b97f4a7c15
DATA ·constants+56(SB)/8, $255
DATA ·constants+64(SB)/8, $63
DATA ·constants+72(SB)/8, $7
GLOBL ·constants(SB), RODATA|NOPTR, $80

// func locate512(keys *[64]uint64, eights int, l *located, entries *uint64, shards, width int)
TEXT ·locate512(SB), NOSPLIT, $0-48
	MOVQ         keys+0(FP), SI
	MOVQ         eights+8(FP), CX
	MOVQ         l+16(FP), DI
	MOVQ         entries+24(FP), DX
	VPBROADCASTQ shards+32(FP), Z16
	MOVQ         width+40(FP), AX
	VPBROADCASTQ AX, Z17
	MOVL         $64, BX
	SUBQ         AX, BX
	VMOVQ        BX, X18
	VPBROADCASTQ ·constants+32(SB), Z19
	VPBROADCASTQ ·constants+40(SB), Z20
	VPBROADCASTQ ·constants+48(SB), Z21
	VPBROADCASTQ ·constants+56(SB), Z22
	VPBROADCASTQ ·constants+64(SB), Z23
	CONSTANTS

eight:
	VMOVDQU64  (SI), Z0
	VPSRLQ     $32, Z0, Z1
	VPXORQ     Z1, Z0, Z0
	VPMULLQ    Z19, Z0, Z0
	VPSRLQ     $32, Z0, Z1
	VPXORQ     Z1, Z0, Z0
	VPMULLQ    Z19, Z0, Z0
	VPSRLQ     $32, Z0, Z1
	VPXORQ     Z1, Z0, Z0
	VPSRLQ     $32, Z0, Z1
	VPMULUDQ   Z16, Z1, Z1
	VPSRLQ     $32, Z1, Z1            // shard
	KXNORB     K0, K0, K1
	KXNORB     K0, K0, K2
	VPXORQ     Z2, Z2, Z2
	VPXORQ     Z3, Z3, Z3
	VPGATHERQQ (DX)(Z1*8), K1, Z2
	VPGATHERQQ 8(DX)(Z1*8), K2, Z3
	VPANDQ     Z22, Z2, Z4            // attempt
	VPSRLQ     $8, Z2, Z2             // first slot
	VPSRLQ     $8, Z3, Z3
	VPSUBQ     Z2, Z3, Z3             // slots
	VPMULLQ    Z20, Z4, Z4
	VPADDQ     Z21, Z4, Z4
	VPMULLQ    Z0, Z4, Z4
	EQUATION
	VPADDQ     Z2, Z4, Z4             // slot
	VPSRLQ     $6, Z4, Z1
	VPMULUDQ   Z17, Z1, Z1
	VPANDQ     Z23, Z4, Z4
	VPSUBQ     Z4, Z25, Z7
	VPSLLVQ    Z4, Z5, Z4
	VPSRLVQ    Z7, Z5, Z5
	VPSRLQ     X18, Z6, Z6
	VMOVDQU64  Z1, (DI)
	VMOVDQU64  Z4, 512(DI)
	VMOVDQU64  Z5, 1024(DI)
	VMOVDQU64  Z6, 1536(DI)
	ADDQ       $64, SI
	ADDQ       $64, DI
	DECQ       CX
	JNZ        eight
	VZEROUPPER
	RET

// func derive512(hashes *uint64, eights int, rows *row, blocks *uint32, factor uint64, slots, width int)
TEXT ·derive512(SB), NOSPLIT, $0-56
	MOVQ         hashes+0(FP), SI
	MOVQ         eights+8(FP), CX
	MOVQ         rows+16(FP), DI
	MOVQ         blocks+24(FP), DX
	VPBROADCASTQ factor+32(FP), Z16
	VPBROADCASTQ slots+40(FP), Z3
	MOVL         $64, BX
	SUBQ         width+48(FP), BX
	VMOVQ        BX, X18
	VPBROADCASTQ ·constants+72(SB), Z23
	VMOVDQU64    ·zip(SB), Z19
	VMOVDQU64    ·zip+64(SB), Z20
	CONSTANTS

eight:
	VMOVDQU64 (SI), Z0
	VPMULLQ   Z16, Z0, Z4
	EQUATION
	VPSRLQ    X18, Z6, Z6
	VPSLLQ    $8, Z6, Z6
	VPANDQ    Z23, Z4, Z0           // slot of the block
	VPSRLQ    $3, Z4, Z4            // block
	VPMOVQD   Z4, (DX)
	VPSUBQ    Z0, Z25, Z7
	VPSLLVQ   Z0, Z5, Z1            // low
	VPSRLVQ   Z7, Z5, Z2
	VPORQ     Z2, Z6, Z6
	VPSLLQ    $40, Z0, Z0
	VPORQ     Z0, Z6, Z6            // high
	VMOVDQA64 Z19, Z7
	VPERMI2Q  Z6, Z1, Z7
	VPERMT2Q  Z6, Z20, Z1
	VMOVDQU64 Z7, (DI)
	VMOVDQU64 Z1, 64(DI)
	ADDQ      $64, SI
	ADDQ      $128, DI
	ADDQ      $32, DX
	DECQ      CX
	JNZ       eight
	VZEROUPPER
	RET

DATA ·zip+0(SB)/8, $0
DATA ·zip+8(SB)/8, $8
DATA ·zip+16(SB)/8, $1
DATA ·zip+24(SB)/8, $9
DATA ·zip+32(SB)/8, $2
DATA ·zip+40(SB)/8, $10
DATA ·zip+48(SB)/8, $3
DATA ·zip+56(SB)/8, $11
DATA ·zip+64(SB)/8, $4
DATA ·zip+72(SB)/8, $12
DATA ·zip+80(SB)/8, $5
DATA ·zip+88(SB)/8, $13
DATA ·zip+96(SB)/8, $6
DATA ·zip+104(SB)/8, $14
DATA ·zip+112(SB)/8, $7
DATA ·zip+120(SB)/8, $15
GLOBL ·zip(SB), RODATA|NOPTR, $128
