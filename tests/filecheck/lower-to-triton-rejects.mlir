// RUN: hetc-opt -p lower-to-triton --verify-diagnostics %s | filecheck %s

// CHECK: refused on the GPU: a selection by scores of type i64 that may need more than 39 bits
builtin.module {
  mp.pipeline @p {
    mp.step @p grows {} pins {} {
      %all_x = mp.get "x" : !mp.tensor<[128], i64>
      %result = task.kernel @scan on "gpu" stages [] (%all_x) {
      ^bb0(%x: !mp.tensor<[128], i64>):
        %picked, %best = mp.topk 8 : i64 "any" [#mp.range<n in 128>] {
        ^bb0(%n: index):
          %v = mp.read %x[%n] : !mp.tensor<[128], i64> -> i64
          mp.yield %v : i64
        } : !mp.tensor<[8], index>, !mp.tensor<[8], i64>
        task.return %picked : !mp.tensor<[8], index>
      } : (!mp.tensor<[128], i64>) -> !mp.tensor<[8], index>
    }
  }
}
