// RUN: hetc-opt -p expand-lanes --split-input-file %s | filecheck %s
// RUN: hetc-opt -p expand-lanes --split-input-file %s | hetc-opt --split-input-file | filecheck %s

// A length that is known only when the kernel runs: whole steps of lanes, then the passes that are left, each into the
// state of its lane. All of them are joined last.
// CHECK: %sum = nest.acc "sum" : !nest.acc<[] of sum<f32>, reg>
// CHECK-NEXT: %sum_lanes = nest.acc "sum_lanes" : !nest.acc<[16] of sum<f32>, reg>
// CHECK: arith.floordivsi %size
// CHECK: nest.for %zero to %{{.*}} step 16 : i64 most 62 : i64 {
// CHECK: nest.for %{{.*}} to %{{.*}} step 1 : i64 most 16 : i64 bind <vector 16> {
// CHECK: %t = arith.addi %t0, %lane : index
// CHECK: nest.read %x[%b, %t]
// CHECK: nest.fold %v into %sum_lanes[%lane] if %may
// CHECK: nest.for %{{.*}} to %size step 1 : i64 most 15 : i64 {
// CHECK: %[[LANE:.*]] = arith.subi %t_1
// CHECK: nest.fold %v_1 into %sum_lanes[%[[LANE]]] if %may_1
// CHECK: nest.join %sum_lanes[] into %sum[]
// CHECK: nest.finish %sum[]
builtin.module {
  mp.pipeline @p {
    mp.dim @B bound 64 : i64
    mp.dim @T bound 1000 : i64 per "B"
  }
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[B, T], bf16>, %y: !mp.tensor<[B, 32], f32>, %w: !mp.tensor<[32, 64], f32>, %tf: !mp.tensor<[64, 32], ui8, #mp.sparse<#builtin.int<100>>>, %r: !nest.buf<[B, 64] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %wide = arith.constant 32 : index
      %outs = arith.constant 64 : index
      %none = arith.constant 0.0 : f32
      %batch = mp.dim_size "B" : index
      nest.for %zero to %batch step 1 : i64 most 64 : i64 bind <parallel> {
      ^bb0(%b: index):
        %size = mp.dim_size "T" per %b : index
        %sum = nest.acc "sum" : !nest.acc<[] of sum<f32>, reg>
        nest.for %zero to %size step 1 : i64 most 1000 : i64 bind <vector 16> {
        ^bb0(%t: index):
          %v = nest.read %x[%b, %t] : !mp.tensor<[B, T], bf16> -> f32
          %may = arith.cmpf ogt, %v, %none : f32
          nest.fold %v into %sum[] if %may : f32 into !nest.acc<[] of sum<f32>, reg>
        }
        %total = nest.finish %sum[] : !nest.acc<[] of sum<f32>, reg> -> f32
        nest.store %total in %r[%b, %zero] : f32, !nest.buf<[B, 64] x f32, global>
      }
    }
  }
}

// -----

// CHECK: {{//}} -----
// A constant that the lanes divide leaves nothing. A queue is one for all lanes.
// CHECK: nest.for %zero to %{{.*}} step 16 : i64 most 2 : i64 {
// CHECK: bind <vector 16>
// CHECK: nest.fold %u into %m_lanes[%lane]
// CHECK: nest.fold %u, %d into %best[]
// CHECK-NOT: nest.for
// CHECK: nest.join %m_lanes[] into %m[]
builtin.module {
  mp.pipeline @p {
    mp.dim @B bound 64 : i64
    mp.dim @T bound 1000 : i64 per "B"
  }
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[B, T], bf16>, %y: !mp.tensor<[B, 32], f32>, %w: !mp.tensor<[32, 64], f32>, %tf: !mp.tensor<[64, 32], ui8, #mp.sparse<#builtin.int<100>>>, %r: !nest.buf<[B, 64] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %wide = arith.constant 32 : index
      %outs = arith.constant 64 : index
      %none = arith.constant 0.0 : f32
      %batch = mp.dim_size "B" : index
      nest.for %zero to %batch step 1 : i64 most 64 : i64 bind <parallel> {
      ^bb0(%b: index):
        %m = nest.acc "m" : !nest.acc<[] of max<f32>, reg>
        %best = nest.acc "best" : !nest.acc<[] of queue<f32, 4>, reg>
        nest.for %zero to %wide step 1 : i64 most 32 : i64 bind <vector 16> {
        ^bb0(%d: index):
          %u = nest.read %y[%b, %d] : !mp.tensor<[B, 32], f32> -> f32
          nest.fold %u into %m[] : f32 into !nest.acc<[] of max<f32>, reg>
          nest.fold %u, %d into %best[] : f32, index into !nest.acc<[] of queue<f32, 4>, reg>
        }
        %most = nest.finish %m[] : !nest.acc<[] of max<f32>, reg> -> f32
        nest.store %most in %r[%b, %one] : f32, !nest.buf<[B, 64] x f32, global>
      }
    }
  }
}

// -----

// CHECK: {{//}} -----
// Along a free index each lane has a sum of its own, and nothing is joined.
// CHECK: step 16 : i64 most 4 : i64 {
// CHECK: bind <vector 16>
// CHECK: nest.acc "dot" : !nest.acc<[] of sum<f32>, reg>
// CHECK: nest.for %zero to %wide step 1 : i64 most 32 : i64 {
// CHECK-NOT: nest.join
builtin.module {
  mp.pipeline @p {
    mp.dim @B bound 64 : i64
    mp.dim @T bound 1000 : i64 per "B"
  }
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[B, T], bf16>, %y: !mp.tensor<[B, 32], f32>, %w: !mp.tensor<[32, 64], f32>, %tf: !mp.tensor<[64, 32], ui8, #mp.sparse<#builtin.int<100>>>, %r: !nest.buf<[B, 64] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %wide = arith.constant 32 : index
      %outs = arith.constant 64 : index
      %none = arith.constant 0.0 : f32
      %batch = mp.dim_size "B" : index
      nest.for %zero to %batch step 1 : i64 most 64 : i64 bind <parallel> {
      ^bb0(%b: index):
        nest.for %zero to %outs step 1 : i64 most 64 : i64 bind <vector 16> {
        ^bb0(%o: index):
          %dot = nest.acc "dot" : !nest.acc<[] of sum<f32>, reg>
          nest.for %zero to %wide step 1 : i64 most 32 : i64 {
          ^bb0(%e: index):
            %p = nest.read %y[%b, %e] : !mp.tensor<[B, 32], f32> -> f32
            %q = nest.read %w[%e, %o] : !mp.tensor<[32, 64], f32> -> f32
            %pq = arith.mulf %p, %q : f32
            nest.fold %pq into %dot[] : f32 into !nest.acc<[] of sum<f32>, reg>
          }
          %d_1 = nest.finish %dot[] : !nest.acc<[] of sum<f32>, reg> -> f32
          nest.store %d_1 in %r[%b, %o] : f32, !nest.buf<[B, 64] x f32, global>
        }
      }
    }
  }
}
