// RUN: hetc-opt -p lower-to-triton %s | filecheck %s
// RUN: hetc-opt -p lower-to-triton %s | hetc-opt | filecheck %s

// One statement, one launch: 32 positions a program, read only where they are live.
// CHECK: tile.kernel @scan_0_s of "scan" order 0 : i64 arguments [#task.argument<"operand", #builtin.int<0>, "">
// CHECK-SAME: #task.argument<"scratch", #builtin.int<0>, "">, #task.argument<"length", #builtin.int<0>, "">
// CHECK-SAME: #task.argument<"capacity", #builtin.int<1>, "">, #task.argument<"longest", #builtin.int<1>, "">] grid [#tile.grid<"B", #builtin.int<1>>, #tile.grid<"T", #builtin.int<32>>]
// CHECK-SAME: warps 4 : i64 stages 2 : i64 scratch [!mp.tensor<[B, T], f32>] constexprs ["NATIVE_FP8"] dims ["B", "T"]
// CHECK: scf.if
// CHECK: tile.load %x[
// CHECK: tile.decode
// CHECK: tile.reduce "sum" along 1 : i64
// CHECK: tile.store
// The selection reads the scores from scratch: four digits of the threshold, then the packing.
// CHECK: tile.kernel @scan_1_picked of "scan" order 1 : i64
// CHECK-COUNT-4: tile.histogram
// CHECK: tile.cumsum
// CHECK: tile.store
builtin.module {
  mp.pipeline @p {
    mp.dim @B bound 64 : i64
    mp.dim @T bound 65536 : i64 per "B"
    mp.step @p grows {} pins {} {
      %all_keys = mp.get "keys" : !mp.tensor<[B, T, 128], f8E4M3FN>
      %all_x = mp.get "x" : !mp.tensor<[B, 128], f32>
      %result = task.kernel @scan on "gpu" stages [] (%all_x, %all_keys) {
      ^bb0(%x: !mp.tensor<[B, 128], f32>, %keys: !mp.tensor<[B, T, 128], f8E4M3FN>):
        %s = mp.compute [#mp.range<b in B>, #mp.range<t in T per 0>] {
        ^bb0(%b: index, %t: index):
          %v = mp.reduce "sum" <d in 128> {
          ^bb0(%d: index):
            %q = mp.read %x[%b, %d] : !mp.tensor<[B, 128], f32> -> f32
            %k = mp.read %keys[%b, %t, %d] : !mp.tensor<[B, T, 128], f8E4M3FN> -> f32
            %m = arith.mulf %q, %k : f32
            mp.yield %m : f32
          } : f32
          mp.yield %v : f32
        } : !mp.tensor<[B, T], f32>
        %picked, %best = mp.topk 8 : i64 "any" [#mp.range<b in B>, #mp.range<t in T per 0>] {
        ^bb0(%b: index, %t: index):
          %v = mp.read %s[%b, %t] : !mp.tensor<[B, T], f32> -> f32
          mp.yield %v : f32
        } : !mp.tensor<[B, 8], index>, !mp.tensor<[B, 8], f32>
        task.return %picked : !mp.tensor<[B, 8], index>
      } : (!mp.tensor<[B, 128], f32>, !mp.tensor<[B, T, 128], f8E4M3FN>) -> !mp.tensor<[B, 8], index>
    }
  }
}
