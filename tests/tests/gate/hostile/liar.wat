;; A filter that returns a pointer far outside of its memory from `configure`.
(component
  (import "portcullis:plugin/types@0.1.0" (instance $types
    (type $ph (flags "request" "request-body" "response" "response-body"))
    (export "phases" (type $phases (eq $ph)))
    (type $r (record
      (field "phases" $phases)
      (field "body-limit" u32)
      (field "notes" (list (tuple string string)))))
    (export "registration" (type (eq $r)))))
  (alias export $types "registration" (type $registration))
  (core module $m
    (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
    (func (export "configure") (param i32 i32) (result i32) (i32.const 0xfffffff0)))
  (core instance $i (instantiate $m))
  (func $configure (param "json" string) (result (result $registration (error string)))
    (canon lift (core func $i "configure")
      (memory (core memory $i "memory")) (realloc (core func $i "realloc"))))
  (instance $f (export "configure" (func $configure)))
  (export "portcullis:plugin/filter@0.1.0" (instance $f)))
