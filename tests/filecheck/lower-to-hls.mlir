// RUN: hetc-opt -p lower-to-hls %s | filecheck %s
// RUN: hetc-opt -p lower-to-hls %s | hetc-opt | filecheck %s

// CHECK: fpga.kernel @scan task "scan"
// CHECK-SAME: #task.argument<"operand", #builtin.int<1>, "">
// CHECK-SAME: #task.argument<"length", #builtin.int<0>, "T">, #task.argument<"capacity", #builtin.int<0>, "T">
// CHECK: fpga.port "keys_words" {{.*}} access "read" : !fpga.pointer<!fpga.word<bf16, 32>>
// CHECK: fpga.loop "b"
// CHECK: fpga.dataflow "scan_i"
// CHECK: fpga.process "read_keys"
// CHECK: fpga.process "load_q"
// CHECK: fpga.process "evaluate"
// CHECK: fpga.loop "row" {{.*}} ii 1
// CHECK: fpga.lanes "sum" "d" 32
// CHECK: fpga.process "select"
// CHECK: fpga.push
// CHECK: fpga.store {{.*}} : index, !fpga.pointer<index>

builtin.module {
  mp.pipeline @p_scan {
    mp.dim @B bound 8 : i64
    mp.dim @T bound 4096 : i64 per "B" 
    mp.declare @q "input" : <[B, 32], f32>
mp.declare @keys "input" : <[B, T, 32], bf16>
    mp.step @s grows {} pins {} {
      %q_ = mp.get "q" : !mp.tensor<[B, 32], f32>
%keys_ = mp.get "keys" : !mp.tensor<[B, T, 32], bf16>
      %out0 = task.kernel @scan on "fpga" stages ["relevancy"]  (%q_, %keys_) {
      ^bb0(%q: !mp.tensor<[B, 32], f32>, %keys: !mp.tensor<[B, T, 32], bf16>):
        
        %i, %v = mp.topk 4 : i64 "any" [#mp.range<b in B>, #mp.range<t in T per 0>] {
        ^bb1(%b: index, %t: index):
          %r = mp.reduce "sum" <d in 32> {
          ^bb2(%d: index):
            %x = mp.read %q[%b, %d] : !mp.tensor<[B, 32], f32> -> f32
            %y = mp.read %keys[%b, %t, %d] : !mp.tensor<[B, T, 32], bf16> -> f32
            %m = arith.mulf %x, %y : f32
            mp.yield %m : f32
          } : f32
          mp.yield %r : f32
        } : !mp.tensor<[B, 4], index>, !mp.tensor<[B, 4], f32>
        task.return %i : !mp.tensor<[B, 4], index>
      } : (!mp.tensor<[B, 32], f32>, !mp.tensor<[B, T, 32], bf16>) -> (!mp.tensor<[B, 4], index>)
    }
  }
}
