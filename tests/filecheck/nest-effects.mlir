// RUN: hetc-opt -p cse,dce %s | filecheck %s

// What the effects of the ops allow general passes: equal reads of operands are one, also across stores and from loop to
// loop inside; equal loads are one only where nothing is stored in between; what nobody uses is left out unless it writes.

// CHECK: nest.phase
// CHECK: %v = nest.read %x[%zero]
// CHECK-NEXT: nest.store %v in %s[%zero]
// CHECK-NEXT: nest.for
// CHECK-NEXT: ^bb0(%i: index):
// CHECK-NEXT: nest.store %v in %s[%i]
// CHECK-NEXT: }
// CHECK-NEXT: %first = nest.load %s[%zero]
// CHECK-NEXT: nest.store %first in %s[%one]
// CHECK-NEXT: %second = nest.load %s[%zero]
// CHECK-NEXT: nest.store %second in %s[%end]
// CHECK-NEXT: %a = nest.acc "a"
// CHECK-NEXT: nest.fold %v into %a[]
// CHECK-NEXT: nest.fold %v into %a[]
// CHECK-NEXT: %sum = nest.finish %a[]
// CHECK-NEXT: nest.store %sum in %s[%zero]
// CHECK-NEXT: }
builtin.module {
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[8], f32>, %s: !nest.buf<[8] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %end = arith.constant 7 : index
      %v = nest.read %x[%zero] : !mp.tensor<[8], f32> -> f32
      nest.store %v in %s[%zero] : f32, !nest.buf<[8] x f32, global>
      nest.for %zero to %end step 1 : i64 most 7 : i64 {
      ^bb0(%i: index):
        %again = nest.read %x[%zero] : !mp.tensor<[8], f32> -> f32
        %unused = nest.load %s[%i] : !nest.buf<[8] x f32, global> -> f32
        nest.store %again in %s[%i] : f32, !nest.buf<[8] x f32, global>
      }
      %first = nest.load %s[%zero] : !nest.buf<[8] x f32, global> -> f32
      nest.store %first in %s[%one] : f32, !nest.buf<[8] x f32, global>
      %second = nest.load %s[%zero] : !nest.buf<[8] x f32, global> -> f32
      nest.store %second in %s[%end] : f32, !nest.buf<[8] x f32, global>
      %a = nest.acc "a" : !nest.acc<[] of sum<f32>, reg>
      nest.fold %v into %a[] : f32 into !nest.acc<[] of sum<f32>, reg>
      nest.fold %v into %a[] : f32 into !nest.acc<[] of sum<f32>, reg>
      %sum = nest.finish %a[] : !nest.acc<[] of sum<f32>, reg> -> f32
      nest.store %sum in %s[%zero] : f32, !nest.buf<[8] x f32, global>
    }
  }
}
