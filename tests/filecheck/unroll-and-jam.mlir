// RUN: hetc-opt -p 'unroll-and-jam{loop="g" by=2}' --split-input-file %s | filecheck %s

// What does not depend on g is read once for two passes of it; each has a sum of its own, and nothing is left over.
// CHECK: nest.for %zero to %size step 2 : i64 most 32 : i64 {
// CHECK-NEXT: ^bb0(%g: index):
// CHECK: %g_1 = arith.addi %g
// CHECK: nest.for %zero to %rows
// CHECK: %sum = nest.acc "sum"
// CHECK: nest.acc "sum"
// CHECK: bind <vector 16> {
// CHECK: nest.read %q[%g, %d]
// CHECK: nest.read %x[%b, %d]
// CHECK: nest.fold
// CHECK: nest.read %q[%g_1, %d]
// CHECK-NOT: nest.read %x
// CHECK: nest.fold
// CHECK: nest.store %{{.*}} in %s[%g, %b]
// CHECK: nest.store %{{.*}} in %s[%g_1, %b]
// CHECK-NOT: nest.for
// CHECK: builtin.module
builtin.module {
  mp.pipeline @p {
    mp.dim @B bound 40 : i64
  }
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%q: !mp.tensor<[64, 64], f32>, %x: !mp.tensor<[B, 64], f32>, %s: !nest.buf<[64, B] x f32, global>, %m: !nest.buf<[64] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %size = arith.constant 64 : index
      %rows = mp.dim_size "B" : index
      nest.for %zero to %size step 1 : i64 most 64 : i64 {
      ^bb0(%g: index):
        nest.for %zero to %rows step 1 : i64 most 40 : i64 {
        ^bb0(%b: index):
          %sum = nest.acc "sum" : !nest.acc<[] of sum<f32>, reg>
          nest.for %zero to %size step 1 : i64 most 64 : i64 bind <vector 16> {
          ^bb0(%d: index):
            %v = nest.read %q[%g, %d] : !mp.tensor<[64, 64], f32> -> f32
            %w = nest.read %x[%b, %d] : !mp.tensor<[B, 64], f32> -> f32
            %product = arith.mulf %v, %w : f32
            nest.fold %product into %sum[] : f32 into !nest.acc<[] of sum<f32>, reg>
          }
          %a = nest.finish %sum[] : !nest.acc<[] of sum<f32>, reg> -> f32
          nest.store %a in %s[%g, %b] : f32, !nest.buf<[64, B] x f32, global>
        }
      }
    }
  }
}

// -----

// A state that passes share takes them one after the other, in their order; a pass that is left over goes alone.
// CHECK: nest.for %zero to %{{.*}} step 2 : i64 most 20 : i64 {
// CHECK-NEXT: ^bb0(%g: index):
// CHECK: nest.fold %{{.*}} into %best[]
// CHECK-NEXT: nest.finish
// CHECK-NEXT: nest.fold %{{.*}} into %best[]
// CHECK: nest.for %{{.*}} to %rows step 1 : i64 most 1 : i64 {
builtin.module {
  mp.pipeline @p {
    mp.dim @B bound 40 : i64
  }
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%q: !mp.tensor<[64, 64], f32>, %x: !mp.tensor<[B, 64], f32>, %s: !nest.buf<[64, B] x f32, global>, %m: !nest.buf<[64] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %size = arith.constant 64 : index
      %rows = mp.dim_size "B" : index
      nest.for %zero to %size step 1 : i64 most 64 : i64 {
      ^bb0(%h: index):
        %best = nest.acc "best" : !nest.acc<[] of max<f32>, reg>
        nest.for %zero to %rows step 1 : i64 most 40 : i64 {
        ^bb0(%g: index):
          %sum = nest.acc "sum" : !nest.acc<[] of sum<f32>, reg>
          nest.for %zero to %size step 1 : i64 most 64 : i64 bind <vector 16> {
          ^bb0(%d: index):
            %v = nest.read %q[%h, %d] : !mp.tensor<[64, 64], f32> -> f32
            %w = nest.read %x[%g, %d] : !mp.tensor<[B, 64], f32> -> f32
            %product = arith.mulf %v, %w : f32
            nest.fold %product into %sum[] : f32 into !nest.acc<[] of sum<f32>, reg>
          }
          %a = nest.finish %sum[] : !nest.acc<[] of sum<f32>, reg> -> f32
          nest.fold %a into %best[] : f32 into !nest.acc<[] of max<f32>, reg>
        }
        %c = nest.finish %best[] : !nest.acc<[] of max<f32>, reg> -> f32
        nest.store %c in %m[%h] : f32, !nest.buf<[64] x f32, global>
      }
    }
  }
}
