// RUN: hetc-opt -p plan-workspace %s | filecheck %s

// Three kernels in a row: of four buffers two are in use at one time. What a memory takes over has a slot for itself. The
// copy of a weight stays, and has none.

// CHECK: host.step @chain
// CHECK: host.copy "x_gpu" %{{.*}} slot 0 : i64
// CHECK: host.copy "w_gpu" %w : !host.buffer
// CHECK: host.allocate "a" slot 1 : i64
// CHECK: host.allocate "b" slot 0 : i64
// CHECK: host.allocate "c" slot 1 : i64
// CHECK: host.allocate "m_new" slot 2 : i64
// CHECK: host.step @other
// CHECK: host.allocate "m_new" slot 2 : i64
// CHECK: host.allocate "small" slot 0 : i64
builtin.module {
  host.program "p" source "" {
    mp.declare @x "input" : <[1024], f32>
    mp.declare @w "weight" : <[1024], f32>
    mp.declare @m "memory" : <[1024], f32> {home = "gpu"}
    host.step @chain grows {} {
      %x = host.input "x" : !host.buffer<!mp.tensor<[1024], f32> on "host">
      %w = host.input "w" : !host.buffer<!mp.tensor<[1024], f32> on "host">
      %x_gpu = host.copy "x_gpu" %x : !host.buffer<!mp.tensor<[1024], f32> on "host"> -> !host.buffer<!mp.tensor<[1024], f32> on "gpu">
      %w_gpu = host.copy "w_gpu" %w : !host.buffer<!mp.tensor<[1024], f32> on "host"> -> !host.buffer<!mp.tensor<[1024], f32> on "gpu">
      %a = host.allocate "a" : !host.buffer<!mp.tensor<[1024], f32> on "gpu">
      host.kernel "first" on "gpu" reads(%x_gpu, %w_gpu) writes(%a) { ^bb0: } : (!host.buffer<!mp.tensor<[1024], f32> on "gpu">, !host.buffer<!mp.tensor<[1024], f32> on "gpu">) -> (!host.buffer<!mp.tensor<[1024], f32> on "gpu">)
      %b = host.allocate "b" : !host.buffer<!mp.tensor<[1024], f32> on "gpu">
      host.kernel "second" on "gpu" reads(%a) writes(%b) { ^bb0: } : (!host.buffer<!mp.tensor<[1024], f32> on "gpu">) -> (!host.buffer<!mp.tensor<[1024], f32> on "gpu">)
      %c = host.allocate "c" : !host.buffer<!mp.tensor<[1024], f32> on "gpu">
      %m_new = host.allocate "m_new" : !host.buffer<!mp.tensor<[1024], f32> on "gpu">
      host.kernel "third" on "gpu" reads(%b) writes(%c, %m_new) { ^bb0: } : (!host.buffer<!mp.tensor<[1024], f32> on "gpu">) -> (!host.buffer<!mp.tensor<[1024], f32> on "gpu">, !host.buffer<!mp.tensor<[1024], f32> on "gpu">)
      host.commit "m", %m_new : !host.buffer<!mp.tensor<[1024], f32> on "gpu">
      host.output "c", %c : !host.buffer<!mp.tensor<[1024], f32> on "gpu">
    }
    host.step @other grows {} {
      %m_new = host.allocate "m_new" : !host.buffer<!mp.tensor<[1024], f32> on "gpu">
      %small = host.allocate "small" : !host.buffer<!mp.tensor<[8], f32> on "gpu">
      host.kernel "fourth" on "gpu" reads() writes(%m_new, %small) { ^bb0: } : () -> (!host.buffer<!mp.tensor<[1024], f32> on "gpu">, !host.buffer<!mp.tensor<[8], f32> on "gpu">)
      host.commit "m", %m_new : !host.buffer<!mp.tensor<[1024], f32> on "gpu">
      host.output "small", %small : !host.buffer<!mp.tensor<[8], f32> on "gpu">
    }
  }
}
