// RUN: hetc-opt -p lower-to-nest %s | filecheck %s
// RUN: hetc-opt -p lower-to-nest %s | hetc-opt | filecheck %s

// The task kernel stays, for the host's lowering.
// CHECK: task.kernel @scan
// A statement is a phase; what only the kernel sees is a buffer, what it returns an argument.
// CHECK: nest.kernel @scan task "scan" on "cpu"
// CHECK-NEXT: ^bb0(%x: !mp.tensor<[B, 32], f32>, %keys: !mp.tensor<[B, T, 32], bf16>, %tf: {{.*}}, %picked: !nest.buf<[B, 8] x index, global>, %x_1: !nest.buf<[B, 32] x f32, global>, %n: !nest.buf<[B] x i32, global>):
// CHECK-NEXT: %s = nest.buffer "s" : !nest.buf<[B, T] x f32, global>
// CHECK-NEXT: nest.phase
// CHECK: nest.for %{{[0-9]+}} to %{{[0-9]+}} step 1 : i64 most 64 : i64 {
// CHECK: mp.dim_size "T" per %b
// CHECK: most 4096 : i64 {
// CHECK: %sum_d = nest.acc "sum_d" : !nest.acc<[] of sum<f32>, reg>
// CHECK: nest.read %keys[%b, %t, %d]
// CHECK: nest.fold %m into %sum_d[]
// CHECK: nest.store %{{.*}} in %s[%b, %t]
// Of a sparse row only the stored entries are walked.
// CHECK: nest.phase
// CHECK: nest.entries %tf[%b_1] from %{{[0-9]+}} to %{{[0-9]+}} most 4096 : i64 {
// CHECK-NEXT: ^bb0(%t_1: index, %tf_value: i32):
// A selection is a queue; a score that is absent is not offered.
// CHECK: nest.phase
// CHECK: %best = nest.acc "best" : !nest.acc<[] of queue<f32, 8>, reg>
// CHECK: nest.fold %{{.*}}, %t_2 into %best[] if %may
// CHECK: nest.arrange %best[] by "score"
// CHECK: nest.entry %best[] at %j
// CHECK: nest.store %{{.*}} in %picked[%b_2, %j]
// An operand that is returned is copied.
// CHECK: nest.phase
// CHECK: nest.store %{{.*}} in %x_1[%i0, %i1]
builtin.module {
  mp.pipeline @p {
    mp.dim @B bound 64 : i64
    mp.dim @T bound 4096 : i64 per "B"
    mp.step @p grows {} pins {} {
      %all_x = mp.get "x" : !mp.tensor<[B, 32], f32>
      %all_keys = mp.get "keys" : !mp.tensor<[B, T, 32], bf16>
      %all_tf = mp.get "tf" : !mp.tensor<[B, T], ui8, #mp.sparse<#builtin.int<100>>>
      %result, %back, %many = task.kernel @scan on "cpu" stages [] (%all_x, %all_keys, %all_tf) {
      ^bb0(%x: !mp.tensor<[B, 32], f32>, %keys: !mp.tensor<[B, T, 32], bf16>, %tf: !mp.tensor<[B, T], ui8, #mp.sparse<#builtin.int<100>>>):
        %s = mp.compute [#mp.range<b in B>, #mp.range<t in T per 0>] {
        ^bb0(%b: index, %t: index):
          %v = mp.reduce "sum" <d in 32> {
          ^bb0(%d: index):
            %q = mp.read %x[%b, %d] : !mp.tensor<[B, 32], f32> -> f32
            %k = mp.read %keys[%b, %t, %d] : !mp.tensor<[B, T, 32], bf16> -> f32
            %m = arith.mulf %q, %k : f32
            mp.yield %m : f32
          } : f32
          mp.yield %v : f32
        } : !mp.tensor<[B, T], f32>
        %n = mp.compute [#mp.range<b in B>] {
        ^bb0(%b: index):
          %c = mp.reduce "sum" <t in T> per %b {
          ^bb0(%t: index):
            %e, %is = mp.read_stored %tf[%b, %t] : !mp.tensor<[B, T], ui8, #mp.sparse<#builtin.int<100>>> -> i32, i1
            mp.yield %e if %is : i32
          } : i32
          mp.yield %c : i32
        } : !mp.tensor<[B], i32>
        %picked, %best = mp.topk 8 : i64 "score" [#mp.range<b in B>, #mp.range<t in T per 0>] {
        ^bb0(%b: index, %t: index):
          %v = mp.read %s[%b, %t] : !mp.tensor<[B, T], f32> -> f32
          %none = arith.constant 0.0 : f32
          %may = arith.cmpf ogt, %v, %none : f32
          mp.yield %v if %may : f32
        } : !mp.tensor<[B, 8], index>, !mp.tensor<[B, 8], f32>
        task.return %picked, %x, %n : !mp.tensor<[B, 8], index>, !mp.tensor<[B, 32], f32>, !mp.tensor<[B], i32>
      } : (!mp.tensor<[B, 32], f32>, !mp.tensor<[B, T, 32], bf16>, !mp.tensor<[B, T], ui8, #mp.sparse<#builtin.int<100>>>) -> (!mp.tensor<[B, 8], index>, !mp.tensor<[B, 32], f32>, !mp.tensor<[B], i32>)
    }
  }
}
