// RUN: hetc-opt -p assign-banks %s | filecheck %s

// Two kernels read `x`, which lies in one channel: the ports of both lead there. What a kernel is passed beside it lies in
// other channels than that, so that its ports do not share one; two kernels may use the same.

// CHECK: fpga.kernel @first
// CHECK-NEXT: fpga.port "x" bundle "g0" bank 0 : i64
// CHECK-NEXT: fpga.port "y" bundle "g1" bank 1 : i64
// CHECK: fpga.kernel @second
// CHECK-NEXT: fpga.port "source" bundle "g0" bank 0 : i64
// CHECK-NEXT: fpga.port "z" bundle "g1" bank 2 : i64
builtin.module {
  fpga.kernel @first task "first" arguments [#task.argument<"operand", #builtin.int<0>, "">, #task.argument<"result", #builtin.int<0>, "">] scratch [] target {} {
    %x = fpga.port "x" bundle "g0" bank -1 : i64 burst 64 : i64 outstanding 16 : i64 access "read" : !fpga.pointer<f32>
    %y = fpga.port "y" bundle "g1" bank -1 : i64 burst 64 : i64 outstanding 16 : i64 access "write" : !fpga.pointer<f32>
  }
  fpga.kernel @second task "second" arguments [#task.argument<"operand", #builtin.int<0>, "">, #task.argument<"result", #builtin.int<0>, "">] scratch [] target {} {
    %source = fpga.port "source" bundle "g0" bank -1 : i64 burst 64 : i64 outstanding 16 : i64 access "read" : !fpga.pointer<f32>
    %z = fpga.port "z" bundle "g1" bank -1 : i64 burst 64 : i64 outstanding 16 : i64 access "write" : !fpga.pointer<f32>
  }
  host.program "p" source "" {
    mp.declare @x "input" : <[1024], f32>
    host.step @s grows {} {
      %x = host.input "x" : !host.buffer<!mp.tensor<[1024], f32> on "host">
      %x_fpga = host.copy "x_fpga" %x : !host.buffer<!mp.tensor<[1024], f32> on "host"> -> !host.buffer<!mp.tensor<[1024], f32> on "fpga">
      %y = host.allocate "y" : !host.buffer<!mp.tensor<[512], f32> on "fpga">
      host.kernel "first" on "fpga" reads(%x_fpga) writes(%y) {
        host.launch "first" arguments [#task.argument<"operand", #builtin.int<0>, "">, #task.argument<"result", #builtin.int<0>, "">] options {} (%x_fpga, %y) : !host.buffer<!mp.tensor<[1024], f32> on "fpga">, !host.buffer<!mp.tensor<[512], f32> on "fpga">
      } : (!host.buffer<!mp.tensor<[1024], f32> on "fpga">) -> (!host.buffer<!mp.tensor<[512], f32> on "fpga">)
      %z = host.allocate "z" : !host.buffer<!mp.tensor<[256], f32> on "fpga">
      host.kernel "second" on "fpga" reads(%x_fpga) writes(%z) {
        host.launch "second" arguments [#task.argument<"operand", #builtin.int<0>, "">, #task.argument<"result", #builtin.int<0>, "">] options {} (%x_fpga, %z) : !host.buffer<!mp.tensor<[1024], f32> on "fpga">, !host.buffer<!mp.tensor<[256], f32> on "fpga">
      } : (!host.buffer<!mp.tensor<[1024], f32> on "fpga">) -> (!host.buffer<!mp.tensor<[256], f32> on "fpga">)
      host.output "y", %y : !host.buffer<!mp.tensor<[512], f32> on "fpga">
    }
  }
}
