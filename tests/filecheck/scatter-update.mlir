// RUN: hetc-opt -p "scatter-update{least=0}" %s | filecheck %s

builtin.module {
  mp.pipeline @p {
    mp.declare @m "memory" : <[10, 4], f32>
    mp.declare @x "input" : <[8, 4], f32>
    mp.declare @idx "input" : <[8], i32>
    mp.step @p grows {} pins {} {
      %m = mp.get "m" : !mp.tensor<[10, 4], f32>
      %x = mp.get "x" : !mp.tensor<[8, 4], f32>
      %idx = mp.get "idx" : !mp.tensor<[8], i32>

      // Where each j writes: a row in range, or nothing.
      // CHECK:      %m_places = mp.compute [#mp.range<j in 8>] {
      // CHECK:        [[PLACE:%.*]] = mp.read %idx
      // CHECK:        [[AT:%.*]] = arith.index_cast [[PLACE]] : i32 to index
      // CHECK:        arith.cmpi sge, [[AT]]
      // CHECK:        arith.cmpi slt, [[AT]]
      // CHECK:        arith.select {{.*}}, {{.*}}, {{.*}} : i32
      // CHECK:      } {stage = "prepare"} : !mp.tensor<[8], i32>
      // Of several, the last.
      // CHECK:      %m_places_1 = mp.compute [#mp.range<j in 8>] {
      // CHECK:        [[OWN:%.*]] = mp.read %m_places
      // CHECK:        mp.reduce "any" <j in 8> {
      // CHECK:          [[OTHER:%.*]] = mp.read %m_places
      // CHECK:          arith.cmpi eq, [[OTHER]], [[OWN]] : i32
      // CHECK:      %m_rows = mp.compute [#mp.range<j in 8>, #mp.range<d in 4>] {
      // CHECK:        [[V:%.*]] = mp.read %x
      // CHECK-NEXT:   mp.yield [[V]] : f32
      // CHECK:      %m_1 = mp.scatter %m, %m_rows at %m_places_1 {stage = "prepare"}
      %m_1 = mp.update "assign" %m [#mp.range<j in 8>, #mp.range<d in 4>] {
      ^bb0(%j: index, %d: index):
        %place = mp.read %idx[%j] : !mp.tensor<[8], i32> -> i32
        %at = arith.index_cast %place : i32 to index
        %v = mp.read %x[%j, %d] : !mp.tensor<[8, 4], f32> -> f32
        mp.put %v at [%at, %d] : f32
      } {stage = "prepare"} : !mp.tensor<[10, 4], f32> -> !mp.tensor<[10, 4], f32>

      // No two j write one row; the old value is read where one is written.
      // CHECK:      %m_places_2 = mp.compute [#mp.range<j in 8>] {
      // CHECK-NOT:    mp.reduce
      // CHECK:      %m_rows_1 = mp.compute [#mp.range<j in 8>, #mp.range<d in 4>] {
      // CHECK:        [[V:%.*]] = mp.read %x
      // CHECK:        [[WRITTEN:%.*]] = arith.cmpi sge
      // CHECK:        [[OLD:%.*]] = mp.read %m_1[{{.*}}] if [[WRITTEN]]
      // CHECK:        arith.addf [[OLD]], [[V]] : f32
      // CHECK:      mp.scatter %m_1, %m_rows_1 at %m_places_2
      // CHECK-NOT:  mp.update
      %m_2 = mp.update "add" %m_1 [#mp.range<j in 8>, #mp.range<d in 4>] {
      ^bb0(%j: index, %d: index):
        %two = arith.constant 2 : index
        %at = arith.addi %j, %two : index
        %v = mp.read %x[%j, %d] : !mp.tensor<[8, 4], f32> -> f32
        mp.put %v at [%at, %d] : f32
      } {stage = "prepare"} : !mp.tensor<[10, 4], f32> -> !mp.tensor<[10, 4], f32>
      mp.commit "m", %m_2 : !mp.tensor<[10, 4], f32>
    }
  }
}
