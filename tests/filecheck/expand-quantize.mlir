// RUN: hetc-opt -p expand-quantize %s | filecheck %s

builtin.module {
  mp.pipeline @p {
    mp.dim @B bound 64 : i64
    mp.declare @x "input" : <[B, 40], f32>
    mp.step @p grows {} pins {} {
      %x = mp.get "x" : !mp.tensor<[B, 40], f32>

      // 448 = 1.75 * 2^8: the carry is 2^23 - 1 - 0.75 * 2^23, the exponent 8 * 2^23.
      // CHECK:      [[AMAX:%.*]] = mp.compute [#mp.range<i0 in B>] {
      // CHECK:        mp.reduce "max" <i1 in 40>
      // CHECK:          math.absf
      // CHECK:      %s = mp.compute [#mp.range<i0 in B>] {
      // CHECK:        [[CARRY:%.*]] = arith.constant 2097151 : i32
      // CHECK-NEXT:   [[UP:%.*]] = arith.addi %{{.*}}, [[CARRY]] : i32
      // CHECK:        [[MASK:%.*]] = arith.constant 2139095040 : i32
      // CHECK-NEXT:   [[WHOLE:%.*]] = arith.andi [[UP]], [[MASK]] : i32
      // CHECK:        [[EXPONENT:%.*]] = arith.constant 67108864 : i32
      // CHECK-NEXT:   arith.subi [[WHOLE]], [[EXPONENT]] : i32
      // CHECK:      } {stage = "prepare"} : !mp.tensor<[B], f32>
      // CHECK:      %q = mp.compute [#mp.range<i0 in B>, #mp.range<i1 in 40>] {
      // CHECK:        arith.subi %{{.*}}, %{{.*}} : i32
      // CHECK:        arith.mulf
      // CHECK:      } {stage = "prepare"} : !mp.tensor<[B, 40], f8E4M3FN>
      %q, %s = mp.quantize %x 1 : i64 "pow2" 0.0001 : f64 {stage = "prepare"} : !mp.tensor<[B, 40], f32> -> !mp.tensor<[B, 40], f8E4M3FN>, !mp.tensor<[B], f32>

      // Blocks of 16 of 40: the last one is short.
      // CHECK:      mp.compute [#mp.range<i0 in B>, #mp.range<i1_block in 3>] {
      // CHECK:        mp.reduce "max" <i1 in 16>
      // CHECK:          [[P:%.*]] = arith.cmpi slt
      // CHECK:          mp.read %x[%{{.*}}, %{{.*}}] if [[P]]
      // CHECK:          mp.yield %{{.*}} if [[P]]
      // CHECK:      %sb = mp.compute
      // CHECK:        arith.constant 1.270000e+02 : f32
      // CHECK:      %qb = mp.compute
      // CHECK:        arith.floordivsi
      // CHECK:        mp.read %sb[%{{.*}}, %{{.*}}] : !mp.tensor<[B, 3], f32> -> f32
      // CHECK-NEXT:   arith.divf
      // CHECK-NEXT:   math.roundeven
      // CHECK-NEXT:   arith.fptosi
      // CHECK-NOT:  mp.quantize
      %qb, %sb = mp.quantize %x 1 : i64 block 16 : i64 "f32" 0.0 : f64 : !mp.tensor<[B, 40], f32> -> !mp.tensor<[B, 40], si8>, !mp.tensor<[B, 3], f32>
    }
  }
}
