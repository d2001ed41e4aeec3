// RUN: hetc-opt -p lower-to-host %s | filecheck %s

// The task kernels have generated kernels beside the pipeline: one launch on the GPU, one compute unit on the FPGA that
// reads the memory in two stripes and wants a scratch buffer. Launches of the GPU come before the host waits.

// CHECK: host.program "tiny" source
// CHECK: mp.declare @keys "memory"
// CHECK: host.step @decode grows {T = 1 : i64} {
// CHECK-NEXT: host.memory "keys" : !host.buffer<!mp.tensor<[B, T, 4], f32> on "fpga" striped 2 at 1>
// CHECK-NEXT: host.input "W"
// CHECK-NEXT: host.input "x" : !host.buffer<!mp.tensor<[B, 4], f32> on "host">
// CHECK-NEXT: %x_gpu = host.copy "x_gpu" %{{.*}} on "host"> -> {{.*}} on "gpu">
// CHECK-NEXT: %W_gpu = host.copy "W_gpu"
// CHECK-NEXT: host.allocate "k"
// CHECK-NEXT: host.kernel "prepare" on "gpu" reads(%x_gpu, %W_gpu)
// CHECK-NEXT: host.launch "prepare_0" arguments {{.*}}<"length", #builtin.int<0>, "B">] options {grid = [#tile.grid<"B", #builtin.int<16>>, {{.*}}(%x_gpu, %W_gpu, %k{{[_0-9]*}})
// CHECK: host.wait "gpu"
// CHECK-NEXT: %k_fpga = host.copy "k_fpga"
// CHECK-NEXT: host.append %{{.*}}, %k_fpga along "T"
// CHECK-NEXT: host.allocate "s"
// CHECK-NEXT: host.allocate "scan_scratch_0" : !host.buffer<!mp.tensor<[B, T], f32> on "fpga">
// CHECK-NEXT: host.kernel "scan" on "fpga"
// CHECK-NEXT: host.launch "scan" arguments [#task.argument<"operand", #builtin.int<0>, "stripe:0:1">
// CHECK: host.commit "keys"
// CHECK-NEXT: host.wait "fpga"
// CHECK-NEXT: host.output "s"
builtin.module {
  mp.pipeline @tiny {
    mp.dim @B bound 8 : i64
    mp.dim @T bound 64 : i64 per "B"
    mp.declare @keys "memory" : <[B, T, 4], f32> {home = "fpga"}
    mp.declare @W "weight" : <[4], f32>
    mp.declare @x "input" : <[B, 4], f32>
    mp.step @decode grows {T = 1 : i64} pins {} {
      %keys = mp.get "keys" : !mp.tensor<[B, T, 4], f32>
      %W = mp.get "W" : !mp.tensor<[4], f32>
      %x = mp.get "x" : !mp.tensor<[B, 4], f32>
      %xg = task.transfer %x from "host" to "gpu" : !mp.tensor<[B, 4], f32> -> !mp.tensor<[B, 4], f32>
      %Wg = task.transfer %W from "host" to "gpu" : !mp.tensor<[4], f32> -> !mp.tensor<[4], f32>
      %k = task.kernel @prepare on "gpu" stages ["prepare"] (%xg, %Wg) {
      ^bb0(%a: !mp.tensor<[B, 4], f32>, %w: !mp.tensor<[4], f32>):
        %r = mp.compute [#mp.range<b in B>, #mp.range<d in 4>] {
        ^bb1(%b: index, %d: index):
          %1 = mp.read %a[%b, %d] : !mp.tensor<[B, 4], f32> -> f32
          %2 = mp.read %w[%d] : !mp.tensor<[4], f32> -> f32
          %3 = arith.mulf %1, %2 : f32
          mp.yield %3 : f32
        } : !mp.tensor<[B, 4], f32>
        task.return %r : !mp.tensor<[B, 4], f32>
      } : (!mp.tensor<[B, 4], f32>, !mp.tensor<[4], f32>) -> !mp.tensor<[B, 4], f32>
      %kf = task.transfer %k from "gpu" to "fpga" : !mp.tensor<[B, 4], f32> -> !mp.tensor<[B, 4], f32>
      %k1 = mp.append %keys, %kf along "T" : !mp.tensor<[B, T, 4], f32>, !mp.tensor<[B, 4], f32> -> !mp.tensor<[B, T, 4], f32>
      %s = task.kernel @scan on "fpga" stages ["relevancy"] (%k1, %kf) {
      ^bb0(%m: !mp.tensor<[B, T, 4], f32>, %q: !mp.tensor<[B, 4], f32>):
        %r = mp.compute [#mp.range<b in B>, #mp.range<t in T per 0>] {
        ^bb1(%b: index, %t: index):
          %v = mp.reduce "sum" <d in 4> {
          ^bb2(%d: index):
            %1 = mp.read %q[%b, %d] : !mp.tensor<[B, 4], f32> -> f32
            %2 = mp.read %m[%b, %t, %d] : !mp.tensor<[B, T, 4], f32> -> f32
            %3 = arith.mulf %1, %2 : f32
            mp.yield %3 : f32
          } : f32
          mp.yield %v : f32
        } : !mp.tensor<[B, T], f32>
        task.return %r : !mp.tensor<[B, T], f32>
      } : (!mp.tensor<[B, T, 4], f32>, !mp.tensor<[B, 4], f32>) -> !mp.tensor<[B, T], f32>
      mp.commit "keys", %k1 : !mp.tensor<[B, T, 4], f32>
      mp.output "s", %s as f32 : !mp.tensor<[B, T], f32>
    }
  }
  fpga.kernel @scan task "scan" arguments [#task.argument<"operand", #builtin.int<0>, "stripe:0:1">, #task.argument<"operand", #builtin.int<0>, "stripe:1:1">, #task.argument<"operand", #builtin.int<1>, "">, #task.argument<"result", #builtin.int<0>, "">, #task.argument<"scratch", #builtin.int<0>, "">, #task.argument<"length", #builtin.int<0>, "T">, #task.argument<"capacity", #builtin.int<0>, "T">] scratch [!mp.tensor<[B, T], f32>] target {} {
    %keys_0 = fpga.port "keys_0" bundle "gmem_0" bank 0 : i64 burst 64 : i64 outstanding 16 : i64 access "read" : !fpga.pointer<f32>
    %keys_1 = fpga.port "keys_1" bundle "gmem_1" bank 1 : i64 burst 64 : i64 outstanding 16 : i64 access "read" : !fpga.pointer<f32>
    %q = fpga.port "q" bundle "gmem_2" bank 2 : i64 burst 64 : i64 outstanding 16 : i64 access "read" : !fpga.pointer<f32>
    %s = fpga.port "s" bundle "gmem_3" bank 3 : i64 burst 64 : i64 outstanding 16 : i64 access "write" : !fpga.pointer<f32>
    %part = fpga.port "part" bundle "gmem_4" bank 4 : i64 burst 64 : i64 outstanding 16 : i64 access "both" : !fpga.pointer<f32>
    %len_T = fpga.port "len_T" bundle "gmem_5" bank 5 : i64 burst 64 : i64 outstanding 16 : i64 access "read" : !fpga.pointer<index>
    %cap_T = fpga.scalar "cap_T" : index
  }
  tile.kernel @prepare_0 of "prepare" order 0 : i64 arguments [#task.argument<"operand", #builtin.int<0>, "">, #task.argument<"operand", #builtin.int<1>, "">, #task.argument<"result", #builtin.int<0>, "">, #task.argument<"length", #builtin.int<0>, "">] grid [#tile.grid<"B", #builtin.int<16>>, #tile.grid<4 : i64, #builtin.int<4>>] warps 4 : i64 stages 2 : i64 scratch [] constexprs [] dims ["B", "T"] {
  ^bb0(%x: !tile.pointer<f32>, %W: !tile.pointer<f32>, %k: !tile.pointer<f32>, %len_B: !tile.pointer<i32>):
  }
}
